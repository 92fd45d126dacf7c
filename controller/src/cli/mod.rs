//! What was typed, and what it means together with the environment.

mod arguments;
mod box_arguments;
mod box_places;
mod cache;
mod cache_arguments;
mod cached_name;
mod elsewhere;
mod fleet_arguments;
mod fleet_members;
mod fleet_texts;
mod folders;
mod log;
mod model;
mod place_kind;
mod selection;
mod settings;
mod status_arguments;
mod tips;
mod topics;
mod values;
mod version;

pub use arguments::{
    Arguments, Command, LimitArguments, OutputArguments, RepoArguments, SyncArguments, TransferArguments,
    VerifyArguments,
};
pub use box_arguments::{BoxArguments, BoxDestination, CacheArguments, LinkArguments, LoginArguments};
pub use box_places::{BoxPlaces, TypedPlaces};
pub use cache::Cache;
pub use cache_arguments::{CachePlace, CacheVerb, RemovalArguments};
pub use cached_name::name_in_cache;
pub use fleet_arguments::FleetArguments;
pub use fleet_members::FleetMembers;
pub use fleet_texts::{FleetTexts, NamedText};
pub use folders::{check_folder_there, check_path_here};
pub use log::begin_log;
pub use model::{Model, TypedCommand, file_command, of_command};
pub use place_kind::PlaceKind;
pub use selection::SelectionArguments;
pub use settings::{BoxAccess, Settings, detached_records, host_to_forget, hub_cache};
pub use status_arguments::StatusArguments;
