#!/bin/sh
# From nothing to a compressed network: installs what is missing, builds, trains a small ResNet on
# Fashion-MNIST, then prunes, distils and quantizes it, and says what was gained.
#   sh examples/quickstart.sh [FOLDER]     results go to FOLDER; default: quickstart-results
set -eu
cd "$(dirname "$0")/.."
. examples/setup.sh

results=${1:-quickstart-results}
setup_build build -Dtools=true -Dtests=false
rescomp=build/examples/rescomp
data=idx:/usr/share/datasets/fashion-mnist
mkdir -p "$results"

cat >"$results/recipe.json" <<'RECIPE'
{ "schema": 1, "steps": [
  { "step": "prune", "macs": 0.6, "retries": 1 },
  { "step": "train", "epochs": 2, "lr": 0.02, "rate": "cosine", "augmentation": "crop:pad=2+flip", "distill": true },
  { "step": "quantize", "observer": "mse", "images": 512 } ] }
RECIPE

echo "1/3 training a small ResNet on Fashion-MNIST"
"$rescomp" train resnet8 --init fresh --input 1,28,28 --classes 10 -o "$results/trained.onnx" --data "$data" \
    --epochs 3 --lr 0.1 --rate one-cycle --augment crop:pad=2+flip
echo "2/3 pruning, distilling, quantizing"
"$rescomp" compress "$results/trained.onnx" -o "$results/compressed.onnx" --data "$data" \
    --recipe "$results/recipe.json" --max-drop 1.5 --report "$results/report"
echo "3/3 side by side"
"$rescomp" bench "$results/trained.onnx" "$results/compressed.onnx" --batch 1 --seconds 1
echo
echo "models: $results/trained.onnx and $results/compressed.onnx"
echo "report: $PWD/$results/report/report.html"
