//! The model that every fault meets, and the server of its large file.

use hfdown_tests::hub::{Content, HubOrigin, When};
use hfdown_tests::sandbox::{DestinationKind, Sandbox};

use crate::places::HFDOWN;

pub(crate) const MODEL: &str = "acme/faulty";
pub(crate) const FILE: &str = "model.safetensors";
pub(crate) const SIZE: u64 = 24_000_000;

pub(crate) async fn sandbox(place: DestinationKind) -> Sandbox {
    let sandbox = Sandbox::start(place, HFDOWN).await.expect("neither place needs anything");
    publish(&sandbox);
    sandbox
}

pub(crate) fn publish(sandbox: &Sandbox) {
    sandbox.hub.model(MODEL).file("config.json", "{}").lfs(FILE, Content::random(11, SIZE)).commit();
}

pub(crate) fn cdn() -> When {
    When::file(FILE).at(HubOrigin::Cdn)
}
