//! Values of options that are more than text or a number.

use std::num::NonZeroU64;

use data_encoding::BASE64_NOPAD;

/// Characters of a SHA-256 in base64, without padding.
const FINGERPRINT: usize = 43;

/// Checks that a fingerprint can be one of a host key, which is SHA-256 in base64.
pub(super) fn parse_fingerprint(text: &str) -> Result<String, String> {
    let digest = text.strip_prefix("SHA256:").map(|digest| digest.trim_end_matches('='));
    match digest {
        Some(digest) if digest.len() == FINGERPRINT && BASE64_NOPAD.decode(digest.as_bytes()).is_ok() => {
            Ok(text.to_owned())
        }
        _ => Err(format!("it is `SHA256:` and {FINGERPRINT} characters, as `ssh-keygen -l` shows it")),
    }
}

/// Reads a rate as people write it: a number, and `k`, `M` or `G` for thousands, millions and milliards.
pub(super) fn parse_rate(text: &str) -> Result<NonZeroU64, String> {
    let number = text.trim_end_matches(|character: char| !character.is_ascii_digit());
    let unit = match text[number.len()..].trim().trim_end_matches("/s").trim_end_matches(['B', 'b']) {
        "" => 1.0,
        "k" | "K" => 1e3,
        "m" | "M" => 1e6,
        "g" | "G" => 1e9,
        _ => return Err("a rate is a number with k, M or G, like 50M".to_owned()),
    };
    let bytes = number.parse::<f64>().map_err(|_| "a rate begins with a number, like 50M".to_owned())? * unit;
    // Saturates; a rate of more than 2^64 is none.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "negative and tiny rates become 0"
    )]
    NonZeroU64::new(bytes as u64).ok_or_else(|| "a rate is at least one byte per second".to_owned())
}

/// The same where none at all can be meant.
pub(super) fn parse_floor(text: &str) -> Result<u64, String> {
    if text.trim() == "0" { Ok(0) } else { parse_rate(text).map(NonZeroU64::get) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_those_of_ssh_keygen() {
        let digest = "w3MILNbSXilvfoHY2dLAuMsiulsH8T8U/0eILIQ7sKM";
        for (text, is_one) in [
            (format!("SHA256:{digest}"), true),
            (format!("SHA256:{digest}="), true),
            (digest.to_owned(), false),
            ("SHA256:abc".to_owned(), false),
            ("MD5:16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48".to_owned(), false),
            (format!("SHA256:{}", digest.replace('/', "_")), false),
        ] {
            assert_eq!(parse_fingerprint(&text).is_ok(), is_one, "{text}");
        }
    }

    #[test]
    fn rates_are_read_as_people_write_them() {
        for (text, bytes) in [
            ("800", Some(800)),
            ("800k", Some(800_000)),
            ("50M", Some(50_000_000)),
            ("50 MB/s", Some(50_000_000)),
            ("1.5G", Some(1_500_000_000)),
            ("0", None),
            ("0.1", None),
            ("-5M", None),
            ("M", None),
            ("", None),
            ("5 parsecs", None),
            ("5MiB", None),
        ] {
            assert_eq!(parse_rate(text).ok().map(NonZeroU64::get), bytes, "{text}");
            let floor = if text == "0" { Some(0) } else { bytes };
            assert_eq!(parse_floor(text).ok(), floor, "{text}");
        }
    }
}
