//! What `info` tells of a repository, as the objects of `--json`.

use super::object::{Object, SelectedFiles};
use super::objects::refusal;
use crate::hub::{Gating, RepoInfo};
use crate::selection::{Contents, Portion, Quantisation, Selected};

/// What the Hub says of a repository.
pub(super) fn model(info: &RepoInfo, portion: Portion) -> Object<'_> {
    Object::Model {
        id: info.id.to_string(),
        kind: info.id.kind().to_string(),
        commit: info.commit.as_str(),
        private: info.private,
        gating: match info.gating {
            Gating::Open => "none",
            Gating::Auto => "automatic",
            Gating::Manual => "manual",
        },
        license: info.license.as_deref(),
        last_modified: info.last_modified.as_deref(),
        tags: &info.tags,
        files: portion.of_files,
        bytes: portion.of_bytes,
    }
}

/// How much of it is wanted, where that is not all.
pub(super) fn selection(portion: Portion) -> Option<Object<'static>> {
    let Portion { files, bytes, of_files, of_bytes } = portion;
    (files < of_files).then_some(Object::Selection(SelectedFiles { files, bytes, of_files, of_bytes }))
}

/// The files that are wanted.
pub(super) fn files(selected: &Selected) -> impl Iterator<Item = Object<'_>> {
    selected.wanted.iter().map(|(_, file)| Object::File {
        path: file.path.as_str(),
        size: file.size,
        digest: format!("{}:{}", file.digest.kind(), file.digest),
    })
}

/// What is listed that no file can be made of.
pub(super) fn refused(selected: &Selected) -> impl Iterator<Item = Object<'_>> {
    selected.refused.iter().map(|refused| Object::Refused(refusal(refused)))
}

/// What can be chosen.
pub(super) fn contents(contents: &Contents) -> impl Iterator<Item = Object<'_>> {
    let quantisations = contents.quantisations.iter().map(|(group, command)| Object::Quantisation {
        name: group.quantisation.as_ref().map(Quantisation::as_str),
        files: group.files,
        shards: group.shards,
        bytes: group.bytes,
        command: command.as_deref(),
    });
    let duplicates = contents.duplicates.iter().map(|group| Object::Duplicate {
        format: group.format.name(),
        of: group.of.name(),
        files: group.files,
        bytes: group.bytes,
        exclude: &group.exclude,
    });
    let leave_out = contents.without_duplicates.as_deref().map(|command| Object::LeaveOut {
        files: contents.duplicates.iter().map(|group| group.files).sum(),
        bytes: contents.duplicates.iter().map(|group| group.bytes).fold(0, u64::saturating_add),
        command,
    });
    quantisations.chain(duplicates).chain(leave_out)
}
