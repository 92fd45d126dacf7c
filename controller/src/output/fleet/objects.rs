//! A fleet in `--json`.

use crate::board::{Board, BoxFields, BoxRecord, FleetFields, GroupFields};
use crate::fleet::{FleetOutcome, FleetTarget};
use crate::output::object::{FleetTargetFields, Object};
use crate::text::Seconds;

/// A command for many boxes begins.
pub(in crate::output) fn fleet_begun(targets: &[FleetTarget], jobs: usize) -> Object<'_> {
    let boxes = targets.iter().map(|FleetTarget { name, ssh, folder, price }| FleetTargetFields {
        name,
        ssh,
        folder: folder.as_deref(),
        dollars_per_tb: price.map(|price| price.dollars_per_tb),
    });
    Object::Fleet { boxes: boxes.collect(), jobs }
}

/// What has become of a box.
pub(in crate::output) fn box_finished(record: &BoxRecord) -> Object<'_> {
    Object::BoxFinished(BoxFields::of(record))
}

/// What has become of all of them.
pub(in crate::output) fn fleet_finished(board: &Board, fleet: &FleetOutcome) -> Object<'static> {
    Object::FleetFinished {
        totals: FleetFields::of(board, fleet.elapsed),
        elapsed_seconds: Seconds(fleet.elapsed),
        exit_code: fleet.exit.code(),
        groups: GroupFields::of(board),
    }
}
