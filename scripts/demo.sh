#!/usr/bin/env sh
# The main job in small, by the commands a user types: simulate, train, export, infer. Called by 'make demo'.
set -eu
HIPSEG=${HIPSEG:-hipseg}
OUT=${OUT:-demo}
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-2}"

step() {
    printf '\n== %s\n' "$1"
    shift
    printf '   $ %s\n' "$*"
    "$@"
}

rm -rf "$OUT"
mkdir -p "$OUT"

step "1/6 Simulate 300 training frames with exact truth" \
    "$HIPSEG" simulate out="$OUT/frames" num_cases=300 seed=1
step "2/6 Train the fast network on them for a few minutes" \
    "$HIPSEG" train experiment=demo datasets="$OUT" run_dir="$OUT/run"
step "3/6 Export one self-describing ONNX file; refused unless onnxruntime agrees with PyTorch" \
    "$HIPSEG" export run="$OUT/run" name=demo out="$OUT/models"
step "4/6 Simulate a procedure that no network has seen" \
    "$HIPSEG" simulate out="$OUT/procedure" format=dicom num_cases=1 seed=2027 simulation=longitudinal simulation.curvilinear_share=0
step "5/6 Watch it with the fresh model" \
    "$HIPSEG" infer "$OUT/procedure" --out "$OUT/fresh" --model "$OUT/models/demo/model.onnx"
step "6/6 Watch it with the released model" \
    "$HIPSEG" infer "$OUT/procedure" --out "$OUT/released"

cat <<END

Done. Research software. Not a medical device. Not for clinical decisions.
  overlay video, fresh model:     $OUT/fresh/overlay.mp4
  overlay video, released model:  $OUT/released/overlay.mp4
  alerts:                         $OUT/released/alerts.jsonl
  pictures of training:           $OUT/run/pictures/
  summary of training:            $OUT/run/summary.html
END
