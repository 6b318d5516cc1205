#!/usr/bin/env bash
# What only a GPU can tell, in one go: bash benchmarks/on_a_gpu.sh OUT. Never run on one yet; about 15 minutes are guessed.
# Each command runs whatever became of the one before it; OUT/log.txt holds them all, OUT/codes.txt their exit codes.
# DEVICE=cpu and SHORT=1 (without the full-size steps) try the script itself on a machine without a GPU: LIMIT=1800 then,
# since a command is ended after LIMIT seconds (300), and its exit code is 124.
set -u
out=${1:?a folder for the results}
device=${DEVICE:-cuda}
short=${SHORT:-}
limit=${LIMIT:-300}
mkdir -p "$out"
step() {
  echo "== $*" | tee -a "$out/log.txt"
  timeout "$limit" "$@" >>"$out/log.txt" 2>&1
  echo "$? $*" >>"$out/codes.txt"
}
dry() { # the full-size step of a training, batch 3: seconds and GiB; further settings follow its base
  name=$1 base=$2
  shift 2
  [ -n "$short" ] || step toolkit train "$name" --config training/without-files --set "base=training/$base" --dry-run \
    --device "$device" "$@"
}
step toolkit doctor
for arithmetic in '[]' '[tf32]' '[tf32, cudnn-benchmark]'; do
  dry dual-encoder dual-encoder-panohead --set "engine.arithmetic=$arithmetic"
done
for precision in bf16 fp16; do
  dry dual-encoder dual-encoder-panohead --set engine.precision=$precision
done
dry dual-encoder dual-encoder-panohead --set engine.checkpoint_activations=true
# kernels that were only tried in Triton's interpreter: same numbers as without? faster? less memory?
if [ -z "$short" ] && [ "$device" != cpu ]; then
  step python benchmarks/speed/fused_rendering.py
  step python benchmarks/speed/fused_rendering.py --tf32
fi
dry dual-encoder dual-encoder-panohead --set "engine.arithmetic=[fused-rendering]"
dry encoder1 dual-encoder-panohead
dry encoder1 dual-encoder-panohead --set engine.compile=true
dry encoder2 dual-encoder-panohead
for name in psp e4e triplanenet goae; do
  dry "$name" "$name-panohead"
done
# the small training: minutes of data first, fewer heads than it learns from
[ -n "$short" ] || step toolkit train panohead-mini --dry-run --device "$device" --set heads.heads=16 --set heads.more_latents=64
step toolkit data make heads360 --subjects 4 --split val --size 128 --views front,left_30,right_30,back "$out/heads"
step toolkit bench --device "$device" --methods all --preset fast --data "$out/heads" --limit 2 --out "$out/bench"
for picture in "$out"/heads/*/front.png; do
  step toolkit invert "$picture" --generator panohead-mini --method psp --device "$device" --out "$out/inverted"
  step toolkit render "$out"/inverted/* --device "$device" --arithmetic tf32,half-superresolution --out "$out/again"
  step toolkit mesh "$out"/inverted/* --device "$device" --resolution 128 --out "$out/mesh.glb"
  break
done
gpus=$(nvidia-smi --list-gpus 2>/dev/null | wc -l)
if [ "$gpus" -gt 1 ]; then # NCCL, buckets, joint batch statistics
  step torchrun --nproc-per-node "$gpus" -m toolkit.cli.main train psp --device cuda --out "$out/psp" --set codes.steps=20 \
    --set images.steps=20 --set photos.subjects=40 --set pairs.count=64 --set engine.sync_batch_norm=true
fi
cat "$out/codes.txt"
