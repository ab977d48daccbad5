#!/bin/sh
# Draws the pictures of the pages anew: sh docs/pictures.sh FOLDER_OF_EXAMPLES. Seed 1. All from examples/data, but for
# the GAN, I-JEPA, video and CLIP, whose sets are looked for in SSLH_DATA.
set -e
bin=${1:-build/examples}
out=build/pictures
mkdir -p "$out" docs/img
"$bin/rotation" --epochs 1 --out "$out"
"$bin/jigsaw" --epochs 10 --out "$out"
"$bin/context" --epochs 10 --out "$out"
"$bin/inpainting" --epochs 2 --no-probe --out "$out"
"$bin/colorization" --out "$out"
"$bin/simclr" --out "$out"
"$bin/moco" --out "$out"
"$bin/classify" --images 3000 --out "$out"
"$bin/inside" --images 1000 --epochs 1 --out "$out/inside"
"$bin/robust" --images 1000 --epochs 3 --test-images 100 --steps 5 --out "$out"
"$bin/simsiam" --images 2000 --batch 64 --epochs 5 --out "$out"
"$bin/barlow" --images 2000 --batch 64 --epochs 5 --out "$out"
"$bin/autoencoder" --out "$out"
"$bin/vae" --latent 2 --hidden 256 --epochs 30 --out "$out"
"$bin/vae" --set convolutions=2 --epochs 5 --out "$out/vae"
"$bin/gan" --data mnist --images 20000 --epochs 6 --width 16 --batch 64 --no-probe --out "$out"
cp "$out/gan_between.png" docs/img/gan_between.png
"$bin/gan" --data cifar10 --images 10000 --epochs 5 --width 16 --batch 64 --no-probe --out "$out"
"$bin/mae" --epochs 6 --tune 1 --out "$out"
"$bin/jepa" --data cifar10 --images 8000 --batch 128 --epochs 5 --momentum 0.98 --out "$out"
"$bin/clip" --data emoji/emoji32_train.rgb --epochs 15 --out "$out"
"$bin/video" --data mnist --epochs 20 --no-order --out "$out"
"$bin/word2vec" --out "$out"
cp "$out/word2vec_map.png" docs/img/word2vec_map.png
"$bin/5_data"
mv views.png docs/img/tutorial_views.png
cp "$out/rotation_views.png" docs/img/rotation_views.png
cp "$out/jigsaw_puzzles.png" docs/img/jigsaw_puzzles.png
cp "$out/context_nearest.png" docs/img/context_nearest.png
cp "$out/inpainting.png" docs/img/inpainting.png
cp "$out/colorization.png" docs/img/colorization.png
cp "$out/video.png" docs/img/video.png
cp "$out/views.png" docs/img/simclr_views.png
cp "$out/map_simclr_tsne.png" docs/img/simclr_map.png
cp "$out/loss.png" docs/img/simclr_loss.png
cp "$out/filters.png" docs/img/simclr_filters.png
cp "$out/neighbours.png" docs/img/simclr_neighbours.png
cp "$out/moco_neighbours.png" docs/img/moco_neighbours.png
cp "$out/confusion_svm.png" docs/img/classify_confusion.png
cp "$out/reliability_forest.png" docs/img/classify_reliability.png
cp "$out/inside/inside.png" docs/img/inside.png
cp "$out/inside/map_tsne.png" docs/img/inside_map.png
cp "$out/robust_attacks.png" docs/img/robust_attacks.png
cp "$out/robust_corruptions.png" docs/img/robust_corruptions.png
cp "$out/robust_accuracy.png" docs/img/robust_accuracy.png
cp "$out/simsiam_collapse.png" docs/img/simsiam_collapse.png
cp "$out/barlow_correlations.png" docs/img/barlow_correlations.png
cp "$out/autoencoder.png" docs/img/autoencoder.png
cp "$out/autoencoder_map.png" docs/img/autoencoder_map.png
cp "$out/vae_manifold.png" docs/img/vae_manifold.png
cp "$out/vae_reconstructions.png" docs/img/vae_reconstructions.png
cp "$out/vae_map.png" docs/img/vae_map.png
cp "$out/vae/vae_between.png" docs/img/vae_between.png
cp "$out/vae/vae_samples.png" docs/img/vae_samples.png
cp "$out/gan.png" docs/img/gan.png
cp "$out/mae_reconstructions.png" docs/img/mae_reconstructions.png
cp "$out/clip_answers.png" docs/img/clip_answers.png
cp "$out/jepa_nearest.png" docs/img/jepa_nearest.png
