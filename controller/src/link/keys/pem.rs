//! PEM: what stands between `BEGIN` and `END`, and the older way of encrypting that (`DEK-Info`, RFC 1421, with OpenSSL's
//! derivation of the key), which `ssh-keygen -m PEM` still writes.

use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt as _, KeyIvInit as _};
use data_encoding::{BASE64, HEXUPPER_PERMISSIVE};
use zeroize::Zeroizing;

/// What a PEM file has.
pub(super) struct Pem {
    /// `RSA PRIVATE KEY`.
    pub(super) label: String,
    /// How it is encrypted, where that is the older way.
    pub(super) encryption: Option<PemEncryption>,
    /// What was encoded.
    pub(super) body: Zeroizing<Vec<u8>>,
}

/// `DEK-Info: AES-128-CBC,0123…`.
pub(super) struct PemEncryption {
    pub(super) cipher: String,
    iv: Vec<u8>,
}

impl Pem {
    /// Reads the block of a text that is a private key, or else the first one: parameters of a curve may stand before the
    /// key. None where there is none, or it makes no sense.
    pub(super) fn read(text: &str) -> Option<Self> {
        let begins = |line: &str| Some(line.strip_prefix("-----BEGIN ")?.strip_suffix("-----")?.to_owned());
        let labels: Vec<_> = text.lines().filter_map(|line| begins(line.trim())).collect();
        let label = labels.iter().find(|label| label.ends_with("PRIVATE KEY")).or(labels.first())?.clone();
        let mut lines = text.lines().map(str::trim);
        lines.find(|line| begins(line).as_ref() == Some(&label))?;
        let mut encryption = None;
        let mut encoded = Zeroizing::new(String::with_capacity(text.len()));
        for line in lines.take_while(|line| !line.starts_with("-----END ")) {
            match line.split_once(": ") {
                Some(("DEK-Info", value)) => {
                    let (cipher, iv) = value.split_once(',')?;
                    let iv = HEXUPPER_PERMISSIVE.decode(iv.trim().as_bytes()).ok()?;
                    encryption = Some(PemEncryption { cipher: cipher.to_owned(), iv });
                }
                Some(_) => {}
                None => encoded.push_str(line),
            }
        }
        let body = Zeroizing::new(BASE64.decode(encoded.as_bytes()).ok()?);
        Some(Self { label, encryption, body })
    }

    /// The same without its encryption, as a text. None where the passphrase is wrong, as far as the padding tells.
    pub(super) fn decrypt(&self, passphrase: &str) -> Option<Zeroizing<String>> {
        let mut body = Zeroizing::new(self.body.to_vec());
        let length = match &self.encryption {
            None => body.len(),
            Some(encryption) => encryption.decrypt(passphrase, &mut body)?.len(),
        };
        let encoded = Zeroizing::new(BASE64.encode(&body[..length]));
        let label = &self.label;
        Some(Zeroizing::new(format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", *encoded)))
    }
}

impl PemEncryption {
    /// Whether it can be opened here.
    pub(super) fn is_known(&self) -> bool {
        self.key_size().is_some()
    }

    fn key_size(&self) -> Option<usize> {
        Some(match self.cipher.as_str() {
            "AES-128-CBC" => 16,
            "AES-192-CBC" | "DES-EDE3-CBC" => 24,
            "AES-256-CBC" => 32,
            _ => return None,
        })
    }

    fn decrypt<'a>(&self, passphrase: &str, data: &'a mut [u8]) -> Option<&'a [u8]> {
        let key = derive(passphrase, self.iv.get(..8)?, self.key_size()?);
        let iv = &self.iv;
        match self.cipher.as_str() {
            "AES-128-CBC" => cbc::Decryptor::<aes::Aes128>::new_from_slices(&key, iv)
                .ok()?
                .decrypt_padded::<Pkcs7>(data)
                .ok(),
            "AES-192-CBC" => cbc::Decryptor::<aes::Aes192>::new_from_slices(&key, iv)
                .ok()?
                .decrypt_padded::<Pkcs7>(data)
                .ok(),
            "AES-256-CBC" => cbc::Decryptor::<aes::Aes256>::new_from_slices(&key, iv)
                .ok()?
                .decrypt_padded::<Pkcs7>(data)
                .ok(),
            _ => cbc::Decryptor::<des::TdesEde3>::new_from_slices(&key, iv)
                .ok()?
                .decrypt_padded::<Pkcs7>(data)
                .ok(),
        }
    }
}

/// OpenSSL's `EVP_BytesToKey` with MD5 and one round.
fn derive(passphrase: &str, salt: &[u8], size: usize) -> Zeroizing<Vec<u8>> {
    let mut key = Zeroizing::new(Vec::with_capacity(size + 16));
    while key.len() < size {
        let mut digest = md5::Context::new();
        digest.consume(&key[key.len().saturating_sub(16)..]);
        digest.consume(passphrase.as_bytes());
        digest.consume(salt);
        key.extend_from_slice(&digest.finalize().0);
    }
    key.truncate(size);
    key
}
