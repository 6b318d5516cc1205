#!/usr/bin/env bash
# What only a GPU can tell, in one go: bash benchmarks/on_a_gpu.sh OUT. Never run on one yet; about 15 minutes are guessed.
# Each command runs whatever became of the one before it; OUT/log.txt holds them all, OUT/codes.txt their exit codes.
set -u
out=${1:?a folder for the results}
mkdir -p "$out"
step() {
  echo "== $*" | tee -a "$out/log.txt"
  timeout 300 "$@" >>"$out/log.txt" 2>&1
  echo "$? $*" >>"$out/codes.txt"
}
full=(--config training/without-files --set base=training/dual-encoder-panohead --dry-run --device cuda)
step toolkit doctor
for precision in fp32 bf16 fp16; do # seconds, GiB: the full-size step, batch 3
  step toolkit train dual-encoder "${full[@]}" --set engine.precision=$precision
done
step toolkit train dual-encoder "${full[@]}" --set engine.checkpoint_activations=true
for name in psp e4e triplanenet goae; do
  step toolkit train "$name" --config training/without-files --set "base=training/$name-panohead" --dry-run --device cuda
done
step toolkit data make heads360 --subjects 4 --split val --size 128 --views front,left_30,right_30,back "$out/heads"
step toolkit bench --device cuda --methods all --data "$out/heads" --limit 2 --out "$out/bench"
for picture in "$out"/heads/*/front.png; do
  step toolkit invert "$picture" --device cuda --out "$out/inverted"
  break
done
cat "$out/codes.txt"
