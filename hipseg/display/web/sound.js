"use strict";

// Bursts of tones by priority, after the patterns of IEC 60601-1-8: the more urgent, the more pulses and the sooner again.
// Browsers let a page sound only after someone has clicked on it, so sound begins switched off.

const BURSTS = {
  high: { pulses: [0, 0.2, 0.4, 0.75, 0.95], everyMs: 3000, hertz: 880 },
  medium: { pulses: [0, 0.3, 0.6], everyMs: 7000, hertz: 660 },
  low: { pulses: [0, 0.35], everyMs: 16000, hertz: 520 },
};
const PULSE_S = 0.13;
const EDGE_S = 0.02;

class Alarm {
  constructor() {
    this.context = null;
    this.priority = "";
    this.nextAtMs = 0;
    setInterval(() => this.beat(), 50);
  }

  toggle() {
    if (this.context) {
      this.context.close();
      this.context = null;
    } else {
      this.context = new AudioContext();
      this.nextAtMs = 0;
    }
    return this.context !== null;
  }

  sound(priority) {
    if (priority !== this.priority) {
      this.priority = priority;
      this.nextAtMs = 0;
    }
  }

  beat() {
    const burst = BURSTS[this.priority];
    if (!burst || !this.context || performance.now() < this.nextAtMs) {
      return;
    }
    this.nextAtMs = performance.now() + burst.everyMs;
    for (const delay of burst.pulses) {
      this.pulse(this.context.currentTime + 0.02 + delay, burst.hertz);
    }
  }

  pulse(beginS, hertz) {
    const tone = this.context.createOscillator();
    const volume = this.context.createGain();
    tone.frequency.value = hertz;
    volume.gain.setValueAtTime(0, beginS);
    volume.gain.linearRampToValueAtTime(0.4, beginS + EDGE_S);
    volume.gain.setValueAtTime(0.4, beginS + PULSE_S - EDGE_S);
    volume.gain.linearRampToValueAtTime(0, beginS + PULSE_S);
    tone.connect(volume).connect(this.context.destination);
    tone.start(beginS);
    tone.stop(beginS + PULSE_S);
  }
}
