//! What a commit contains, as `huggingface_hub` writes it into its cache (`trees/<commit>.json`): by it, `hf` need not ask
//! for the listing again, and sees what is missing of a snapshot.

use std::fmt::Write as _;

use hfdown_protocol::{Digest, FileRow, limits};
use serde_json::Value;

use super::Listing;
use super::tree_details::MOST_FILES;

/// The text in pieces that fit into a frame; none where the listing is too long.
pub fn tree_text(listing: &Listing) -> Option<impl Iterator<Item = Vec<u8>> + '_> {
    if listing.files.len() > MOST_FILES {
        return None;
    }
    // As Python sorts them: by code points, which is by bytes.
    let mut files: Vec<(u32, FileRow<'_>)> = (0..).zip(listing.files.iter()).collect();
    files.sort_unstable_by_key(|(_, file)| file.path.as_str());
    let mut rest = files.into_iter().peekable();
    let is_empty = rest.peek().is_none();
    let mut head = Some("{\n \"format_version\": 1,\n \"files\": {");
    Some(std::iter::from_fn(move || {
        let mut piece = head.take()?.to_owned();
        // The longest name has 6 bytes for each of its characters.
        while piece.len() < limits::INLINE - 8 * limits::PATH {
            let Some((row, file)) = rest.next() else {
                piece.push_str(if is_empty { "}\n}" } else { "\n }\n}" });
                return Some(piece.into_bytes());
            };
            piece.push_str(&entry(listing, row, &file));
            if rest.peek().is_some() {
                piece.push(',');
            }
        }
        head = Some("");
        Some(piece.into_bytes())
    }))
}

fn entry(listing: &Listing, row: u32, file: &FileRow<'_>) -> String {
    let (name, size) = (ascii(file.path.as_str()), file.size);
    let blob = listing.details.blob(row, file);
    let mut entry = format!("\n  {name}: {{\n   \"size\": {size},\n   \"blob_id\": \"{blob}\"");
    // Writing to a string does not fail.
    if let sha256 @ Digest::Sha256(_) = file.digest {
        let _ = write!(entry, ",\n   \"lfs_sha256\": \"{sha256}\",\n   \"lfs_size\": {size}");
    }
    if let Some(hash) = listing.details.xet_hash(row) {
        let _ = write!(entry, ",\n   \"xet_hash\": \"{hash}\"");
    }
    entry.push_str("\n  }");
    entry
}

/// A text in JSON, with nothing but ASCII.
fn ascii(text: &str) -> String {
    let mut escaped = String::new();
    for character in Value::from(text).to_string().chars() {
        if character.is_ascii() && character != '\u{7f}' {
            escaped.push(character);
        } else {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                // Writing to a string does not fail.
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing<S: AsRef<str>>(paths: &[S]) -> Listing {
        Listing::of(paths.iter().map(|path| (path.as_ref(), 7, Digest::GitSha1([0xab; 20]))))
    }

    fn text<S: AsRef<str>>(paths: &[S]) -> String {
        let listing = listing(paths);
        let pieces: Vec<_> = tree_text(&listing).unwrap().collect();
        assert!(pieces.iter().all(|piece| piece.len() <= limits::INLINE));
        String::from_utf8(pieces.concat()).unwrap()
    }

    #[test]
    fn it_is_json_as_python_writes_it() {
        assert_eq!(text::<&str>(&[]), "{\n \"format_version\": 1,\n \"files\": {}\n}");
        let blob = "ab".repeat(20);
        let entry =
            |name: &str| format!("  \"{name}\": {{\n   \"size\": 7,\n   \"blob_id\": \"{blob}\"\n  }}");
        let expected = format!(
            "{{\n \"format_version\": 1,\n \"files\": {{\n{},\n{},\n{}\n }}\n}}",
            entry("A"),
            entry("a \\\"b"),
            entry("\\u00fc-\\ud83d\\ude00")
        );
        assert_eq!(text(&["ü-😀", "a \"b", "A"]), expected);
    }

    #[test]
    fn a_long_listing_travels_in_pieces_and_one_that_is_too_long_does_not() {
        let names: Vec<_> = (0..5_000).map(|number| format!("folder/file-{number}")).collect();
        let text = text(&names);
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["files"].as_object().unwrap().len(), names.len());
        let names: Vec<_> = (0..=MOST_FILES).map(|number| format!("file-{number}")).collect();
        assert!(tree_text(&listing(&names)).is_none());
    }
}
