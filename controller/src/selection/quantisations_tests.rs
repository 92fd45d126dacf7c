//! Repositories as they are, and what is chosen of them.

use super::*;

fn chosen(
    quantisations: &[&str],
    projectors: Projectors,
    paths: &[&str],
) -> Result<Vec<String>, NoQuantisation> {
    let quantisations = quantisations.iter().map(|name| Quantisation::named(name)).collect();
    let wanted = WantedQuantisations { quantisations, projectors };
    let chosen = wanted.choose(paths.iter().copied())?;
    Ok(paths.iter().filter(|path| chosen.want(path)).map(|path| (*path).to_owned()).collect())
}

#[test]
fn all_shards_of_a_quantisation_are_chosen_and_nothing_else() {
    let paths = [
        "README.md",
        "config.json",
        "imatrix.gguf",
        "m-BF16.gguf",
        "m-F16.gguf",
        "m-Q4_K_M-00001-of-00002.gguf",
        "m-Q4_K_M-00002-of-00002.gguf",
        "m-Q8_0.gguf",
        "m-UD-Q4_K_XL.gguf",
        "mmproj-F16.gguf",
        "UD-Q8_0/m-00001-of-00002.gguf",
        "UD-Q8_0/m-00002-of-00002.gguf",
    ];
    let not_there = |name: &str| Err(NoQuantisation::NotThere(Quantisation::named(name)));
    for (quantisations, expected) in [
        (&["q4_k_m"][..], Ok(vec!["m-Q4_K_M-00001-of-00002.gguf", "m-Q4_K_M-00002-of-00002.gguf"])),
        (&["F16"], Ok(vec!["m-F16.gguf"])),
        (&["fp16"], Ok(vec!["m-F16.gguf"])),
        (&["BF16", "F16"], Ok(vec!["m-BF16.gguf", "m-F16.gguf"])),
        (&["Q8_0"], Ok(vec!["m-Q8_0.gguf"])),
        (&["ud-q8_0"], Ok(vec!["UD-Q8_0/m-00001-of-00002.gguf", "UD-Q8_0/m-00002-of-00002.gguf"])),
        (&["Q4_K_XL"], Ok(vec!["m-UD-Q4_K_XL.gguf"])),
        (&["Q4_K"], not_there("Q4_K")),
        (&["Q8_0", "Q3_K_S"], not_there("Q3_K_S")),
        (&["imatrix"], not_there("IMATRIX")),
    ] {
        let expected = expected.map(|paths| paths.into_iter().map(str::to_owned).collect());
        assert_eq!(chosen(quantisations, Projectors::LeftOut, &paths), expected, "{quantisations:?}");
    }
    assert_eq!(chosen(&["Q8_0"], Projectors::LeftOut, &["a.safetensors"]), Err(NoQuantisation::NoGguf));
}

#[test]
fn a_projector_is_the_one_that_fits_best() {
    for (quantisation, paths, expected) in [
        (
            "Q4_K_M",
            &["m-Q4_K_M.gguf", "mmproj-F32.gguf", "mmproj-BF16.gguf", "mmproj-F16.gguf"][..],
            "mmproj-BF16.gguf",
        ),
        ("Q8_0", &["m-Q8_0.gguf", "mmproj-F16.gguf", "mmproj-Q8_0.gguf"], "mmproj-Q8_0.gguf"),
        ("F32", &["m-F32.gguf", "mmproj-F16.gguf", "mmproj-F32.gguf"], "mmproj-F32.gguf"),
        ("Q4_0", &["a/m-Q4_0.gguf", "a/mmproj.gguf", "b/mmproj.gguf", "mmproj-F16.gguf"], "a/mmproj.gguf"),
        ("Q4_0", &["a/Q4_0/m.gguf", "b/mmproj.gguf", "mmproj-F16.gguf"], "mmproj-F16.gguf"),
    ] {
        let chosen = chosen(&[quantisation], Projectors::Wanted, paths).unwrap();
        let projectors: Vec<_> = chosen.iter().filter(|path| path.contains("mmproj")).collect();
        assert_eq!(projectors, [expected], "{quantisation} {paths:?}");
    }
    let alone = chosen(&["Q4_0"], Projectors::Wanted, &["a/m-Q4_0.gguf", "b/mmproj.gguf"]);
    assert_eq!(alone, Err(NoQuantisation::NoProjector));
}

#[test]
fn quantisations_are_counted_smallest_first() {
    let files = [
        ("a-Q8_0.gguf", 80),
        ("a-Q4_0-00001-of-00002.gguf", 20),
        ("a-Q4_0-00002-of-00002.gguf", 21),
        ("b.gguf", 5),
    ];
    let groups = quantisations(files.into_iter());
    let told: Vec<_> = groups
        .iter()
        .map(|group| {
            let name = group.quantisation.as_ref().map_or("", Quantisation::as_str);
            (name, group.files, group.shards, group.bytes)
        })
        .collect();
    assert_eq!(told, [("", 1, 0, 5), ("Q4_0", 2, 2, 41), ("Q8_0", 1, 0, 80)]);
}

#[test]
fn shards_that_are_not_listed_are_missed() {
    let paths =
        ["m-00001-of-00003.gguf", "m-00003-of-00003.gguf", "n-00001-of-00001.gguf", "o-00001-of-99999.gguf"];
    let missing = missing_shards(paths.into_iter());
    let expected =
        MissingShards { listed: "m-00001-of-00003.gguf".to_owned(), missing: 1, numbers: vec![2], of: 3 };
    assert_eq!(missing, [expected]);
}
