//! Files out of the Hub's Xet store: compressed, and in pieces that others have as well.

mod deltas;
mod detached;
mod faults;
mod fleets;
mod fresh;
mod hosts;
mod huge;
mod killed;
mod relayed;
mod uploaded;

use hfdown_tests::hub::{Content, HubOrigin};
use hfdown_tests::sandbox::{Ended, Sandbox};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::Value;

const MODEL: &str = "acme/weights";
const FILE: &str = "model.safetensors";
const SIZE: usize = 12_000_000;
/// What a request for a xorb has in its path.
const XORBS: &str = "/xorbs/";
/// What one for terms has.
const TERMS: &str = "/reconstructions/";

/// Numbers of two bytes as weights are: all of about one size, so that half of their bits say little.
pub(crate) fn weights(seed: u64, size: usize) -> Vec<u8> {
    let mut random = SmallRng::seed_from_u64(seed);
    let mut bytes = vec![0; size];
    for number in bytes.chunks_exact_mut(2) {
        let drawn: u32 = random.random();
        let is_one_in = |rate: u32, shift: u32| u32::from((drawn >> shift).is_multiple_of(rate));
        let exponent = 0x3c + is_one_in(4, 16) + is_one_in(16, 18);
        number.copy_from_slice(&((drawn & 0x80ff) | (exponent << 8)).to_le_bytes()[..2]);
    }
    bytes
}

fn publish(sandbox: &Sandbox) -> Vec<u8> {
    let bytes = weights(1, SIZE);
    sandbox.hub.model(MODEL).file("config.json", "{}").in_xet(FILE, Content::from(bytes.clone())).commit();
    bytes
}

/// Bytes of xorbs, and of files as they are.
fn sent(sandbox: &Sandbox) -> (u64, u64) {
    let requests = sandbox.hub.requests();
    let of_cdn = requests.iter().filter(|request| request.origin == HubOrigin::Cdn);
    of_cdn.fold((0, 0), |(xorbs, plain), request| {
        let bytes = request.bytes_sent;
        if request.path.contains(XORBS) { (xorbs + bytes, plain) } else { (xorbs, plain + bytes) }
    })
}

/// How often terms were asked for.
fn questions(sandbox: &Sandbox) -> usize {
    sandbox.hub.requests().iter().filter(|request| request.path.contains(TERMS)).count()
}

/// The objects of one type that a run with `--json` has printed.
fn objects(ended: &Ended, kind: &str) -> Vec<Value> {
    let objects = ended.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    objects.filter(|object| object["type"] == kind).collect()
}
