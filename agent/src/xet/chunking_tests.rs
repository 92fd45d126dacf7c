//! Files are cut and called as `hf_xet` 1.8.0 does it: what its `hash_files` says of them is written down here.

use proptest::prelude::*;

use super::*;
use crate::xet::noise;

fn file(kind: &str, length: usize) -> Vec<u8> {
    match kind {
        "zeros" => vec![0; length],
        "random" => noise(length, 0x9E37_79B9_7F4A_7C15),
        _ => noise(100_000, 7).into_iter().cycle().take(length).collect(),
    }
}

fn cut_bytes(bytes: &[u8]) -> CutFile {
    cut(bytes, |_| Ok(())).unwrap()
}

/// Gives out a few bytes at a time.
struct Dribble<'a>(&'a [u8], usize);

impl Read for Dribble<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = buffer.len().min(self.1);
        self.0.read(&mut buffer[..length])
    }
}

const HASHES: [(&str, usize, &str); 36] = [
    ("zeros", 0, "0000000000000000000000000000000000000000000000000000000000000000"),
    ("zeros", 1, "41f5539a8d8bdd7509fd9a319268aca47ea6d40b33394170182e09fa86345c7e"),
    ("zeros", 8_191, "80c25c0cf8afd7a10eabd09184c813addb4328bd727089be2b62a77028848772"),
    ("zeros", 8_192, "711574865581cce65f5d06a1818a37a1dd4cfe3f65e3f4aaae2b1bacbfc253db"),
    ("zeros", 8_193, "acb3908482fc8e121fb0928efb9d6916c1b73b7653d872cbfdabb4d87b0becc7"),
    ("zeros", 65_536, "f3443f56fde4d1adf396a4f6c9f6e2bb20635c82b5788ac89fca7452b125bc32"),
    ("zeros", 131_071, "72f8496f548b319d8624c1c76e8520b8776a2cbea5fceeeea7fcdb18860ca407"),
    ("zeros", 131_072, "7a7c18448d7ae35cc61c072281981c565fedb8a079b42c6ef4a0c846bb78c50d"),
    ("zeros", 131_073, "83f8f48adc7310b5748295b256ca24cdce2aac457679c98526e3a19e0388f58a"),
    ("zeros", 1_000_000, "c0c85185f4307d40facfd366573176e54fc9c76041e44e32d52489780a6d1eaa"),
    ("zeros", 5_000_000, "53c984ccdc025672b65faadc07a495caa8afc14599df2f0bab1b0b6cbc35e0aa"),
    ("zeros", 20_000_000, "be5e2fad6f1638bbfab5f4d1d12e479379ab24bc14b7ec1d18ecc184db82c6cb"),
    ("random", 0, "0000000000000000000000000000000000000000000000000000000000000000"),
    ("random", 1, "c2260e8a8e0f33f4c933b815998b37aee056b4ba603c915475b76c5a94a07deb"),
    ("random", 8_191, "8e5d0ea6793e827af078d287f37702df1efbaa4f9a136344e4f48e3b8f9941f9"),
    ("random", 8_192, "2c682e998e8483cc69091a0dacfbbaee1c6a3590037905892b01f0a01bf160de"),
    ("random", 8_193, "db3dd5700fac1e9c94775cfdc67e93480cd6ea09b089845689cf98dcce705e7e"),
    ("random", 65_536, "21498ea2d6c08642e987ffe81bce7aa92d60d1ef7d052f9167500c9863034777"),
    ("random", 131_071, "1f44f73fbc6b7022c6f069eb9cee0762708c57571a3391571af3c9df3c2f05a2"),
    ("random", 131_072, "d9aba0ec2e4c6855bff540d2180da295049a7a7a35bef504688036b9881717f2"),
    ("random", 131_073, "580923db2c2548f1c5e9324f28413284e3ed68c89ed523dc724b7541a741278a"),
    ("random", 1_000_000, "222779f868b603ef2f7ae1900ab843a0c0e932e875be4c904b7dee06d3eb77df"),
    ("random", 5_000_000, "4c129c036f6e8a74ae64c66c124d8777c14a07454c36742bbf93d909a4b00424"),
    ("random", 20_000_000, "ced25c1c3dd6a7a0919afb42fb995dbddad219f57be0d61a6c671e39f10c7c9b"),
    ("repeated", 0, "0000000000000000000000000000000000000000000000000000000000000000"),
    ("repeated", 1, "097f4659a5675cb64fe260cb97e07e59b74f9486b3c809466b8b57880772a468"),
    ("repeated", 8_191, "d49c15a93c35be099e94827efccfd6dcaae44c0041bbb763a553dddb7aa09aa8"),
    ("repeated", 8_192, "a2795411589f09ac2b571a7f06da42e26ae205e8ca1418d7882b9051d5b9380d"),
    ("repeated", 8_193, "3dc79093e32bf08dc013ed0d0b4db21b7e81355014500f5fe04ef1a307cbde92"),
    ("repeated", 65_536, "5c33cb7b9df49b2e275d3db90a9032b2a7c796338407468b2d92a0492e83ef23"),
    ("repeated", 131_071, "8a3357880e9e5a08e92d61c70ff54502e9e07fe619d7c51f26ffbe23f0fb94c5"),
    ("repeated", 131_072, "84a115bfcd4a5d4a1fec6e8e77a798ea006f2f1368eb042ea0dd400499d71ab2"),
    ("repeated", 131_073, "ca36ba3a5338cc02b0786ef436a5715f65d42d7027ec12cc58ac6cd0adaa0fe1"),
    ("repeated", 1_000_000, "39b8fa883abbbed92a713dcff8515801860d8648c1ba463f6160f3fab98dca31"),
    ("repeated", 5_000_000, "e9bd8dabf0602fcd8d5c68ba7e0e17ca6adfb3c5059e6eba3a05dc271b1f929a"),
    ("repeated", 20_000_000, "da56a47aeec5e2c2e9420bbe0135ff186bb432266c5a165a2b8cf462c99a300d"),
];

#[test]
fn files_are_called_as_the_store_calls_them() {
    for (kind, length, hash) in HASHES {
        assert_eq!(cut_bytes(&file(kind, length)).hash.to_string(), hash, "{kind} {length}");
    }
}

#[test]
fn a_reader_that_stops_is_asked_for_no_more() {
    let mut asked = 0;
    let stopped = cut(&file("random", 5_000_000)[..], |_| {
        asked += 1;
        if asked == 2 { Err(ErrorKind::Interrupted.into()) } else { Ok(()) }
    });
    assert_eq!((stopped.unwrap_err().kind(), asked), (ErrorKind::Interrupted, 2));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn chunks_are_the_same_however_a_file_is_read(
        length in 0usize..1_500_000, seed in 1u64.., piece in 1usize..300_000,
    ) {
        let bytes = noise(length, seed);
        let whole = cut_bytes(&bytes);
        prop_assert_eq!(&cut(Dribble(&bytes, piece.max(1000)), |_| Ok(())).unwrap(), &whole);
        prop_assert_eq!(whole.offsets.last().copied(), Some(length as u64));
        let lengths: Vec<_> = whole.offsets.windows(2).map(|pair| pair[1] - pair[0]).collect();
        prop_assert!(lengths.iter().all(|length| (1..=LONGEST_CHUNK as u64).contains(length)));
        let others = lengths.len().saturating_sub(1);
        prop_assert!(lengths[..others].iter().all(|length| *length >= SHORTEST_CHUNK as u64));
    }
}
