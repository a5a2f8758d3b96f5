"""hipseg for hours, with everything going wrong that can be made to: does it stay whole, current and small?"""
