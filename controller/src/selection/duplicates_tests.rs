//! What is told of repositories as they are, and that the patterns leave out nothing else.

use super::*;
use crate::selection::Globs;

/// What is told of these files, and what is left when its patterns are excluded.
fn told(files: &[(&str, u64)]) -> (Vec<String>, Vec<String>) {
    let groups = duplicates(&files.iter().copied());
    let exclude = groups.iter().flat_map(|group| &group.exclude).map(|pattern| pattern.parse().unwrap());
    let globs = Globs { include: Vec::new(), exclude: exclude.collect() };
    let left: Vec<_> =
        files.iter().filter(|(path, _)| globs.want(path)).map(|(path, _)| (*path).to_owned()).collect();
    let count: usize = groups.iter().map(|group| group.files).sum();
    assert_eq!(
        left.len() + count,
        files.len(),
        "the patterns match what is told, and nothing else: {groups:?}"
    );
    let told =
        groups.iter().map(|group| format!("{} {} {}", group.format, group.of, group.exclude.join(" ")));
    (told.collect(), left)
}

#[test]
fn formats_beside_safetensors_are_told_with_what_leaves_them_out() {
    for (files, expected) in [
        // BERT.
        (
            &[
                "config.json",
                "flax_model.msgpack",
                "model.safetensors",
                "pytorch_model.bin",
                "rust_model.ot",
                "tf_model.h5",
            ][..],
            &[
                "pytorch safetensors *.bin",
                "tensorflow safetensors *.h5",
                "flax safetensors *.msgpack",
                "rust safetensors *.ot",
            ][..],
        ),
        // Other `.bin` files stay.
        (
            &["model.safetensors", "pytorch_model.bin", "training_args.bin"],
            &["pytorch safetensors pytorch_model*"],
        ),
        (
            &[
                "model-00001-of-00002.safetensors",
                "pytorch_model-00001-of-00003.bin",
                "pytorch_model.bin.index.json",
                "optimizer.bin",
            ],
            &["pytorch safetensors pytorch_model*"],
        ),
        // Llama, Mistral.
        (
            &[
                "model-00001-of-00002.safetensors",
                "original/consolidated.00.pth",
                "original/params.json",
                "tokenizer.json",
            ],
            &["original safetensors original/"],
        ),
        (
            &["consolidated.safetensors", "model-00001-of-00002.safetensors", "params.json"],
            &["consolidated safetensors consolidated*"],
        ),
        // Sentence transformers.
        (
            &["model.safetensors", "onnx/model.onnx", "onnx/config.json", "openvino/openvino_model.xml"],
            &["onnx safetensors onnx/", "openvino safetensors openvino/"],
        ),
        // Diffusers.
        (
            &[
                "unet/diffusion_pytorch_model.bin",
                "unet/diffusion_pytorch_model.safetensors",
                "vae/scaler.bin",
            ],
            &["pytorch safetensors *pytorch_model*.bin"],
        ),
        (
            &["lora/adapter_model.bin", "lora/adapter_model.safetensors", "x.bin"],
            &["pytorch safetensors lora/adapter_model.bin"],
        ),
        // Without safetensors PyTorch's format is the one.
        (
            &["pytorch_model.bin", "tf_model.h5", "flax_model.msgpack"],
            &["tensorflow pytorch *.h5", "flax pytorch *.msgpack"],
        ),
        // Nothing that is sure.
        (&["adapter_model.safetensors", "pytorch_model.bin"], &[]),
        (&["model.onnx", "model.safetensors"], &[]),
        (&["onnx/model.onnx", "onnx/model_q4.onnx"], &[]),
        (&["model.Q4_K_M.gguf", "model.Q8_0.gguf"], &[]),
        (&["consolidated.safetensors", "params.json"], &[]),
        (&["original/params.json", "model.safetensors"], &[]),
        (&[], &[]),
    ] {
        let files: Vec<_> = files.iter().map(|path| (*path, 100)).collect();
        assert_eq!(told(&files).0, expected, "{files:?}");
    }
}

#[test]
fn a_variant_of_half_precision_is_one_by_its_size() {
    let files = |half| {
        [
            ("unet/diffusion_pytorch_model.fp16.safetensors", half),
            ("unet/diffusion_pytorch_model.safetensors", 1000),
        ]
    };
    assert_eq!(told(&files(501)).0, ["fp16 safetensors *.fp16.safetensors"]);
    assert!(told(&files(1000)).0.is_empty());
    assert!(told(&[("model.fp16.safetensors", 10)]).0.is_empty());
}
