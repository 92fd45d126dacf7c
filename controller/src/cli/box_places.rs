//! Which boxes, and which folder on them.

use std::sync::Arc;

use super::box_arguments::BoxDestination;
use super::folders::check_folder_there;
use crate::failure::{Exit, Problem};
use crate::fleet::FleetTarget;
use crate::link::SshTarget;

/// Where a model is wanted.
pub enum BoxPlaces {
    /// On one box.
    One {
        /// The SSH command that leads there.
        ssh: String,
        /// The folder there; none is the hub cache.
        folder: Option<String>,
    },
    /// On many.
    Fleet(Vec<FleetTarget>),
}

impl BoxPlaces {
    /// The last word is the folder, unless it is the hub cache.
    pub fn of(there: &BoxDestination) -> Result<Self, Problem> {
        let (folder, boxes) = match (there.cache.is_wanted(), &there.places[..]) {
            (true, boxes) => (None, boxes),
            (false, [boxes @ .., folder]) if !boxes.is_empty() => (Some(folder), boxes),
            (false, _) => return Err(Problem::new(Exit::Usage, "DIR is missing: the folder on the box")),
        };
        if let Some(folder) = folder {
            check_folder_there(folder).map_err(|why| {
                Problem::new(Exit::Usage, format!("`{folder}` names no folder")).because(why)
            })?;
        }
        let folder = folder.cloned();
        if let [ssh] = boxes {
            return Ok(Self::One { ssh: ssh.clone(), folder });
        }
        let target = |ssh: &String| FleetTarget {
            name: Arc::from(
                SshTarget::parse(ssh).map_or_else(|_| ssh.clone(), |(target, _)| target.to_string()),
            ),
            ssh: ssh.clone(),
            folder: folder.clone(),
            price: None,
        };
        Ok(Self::Fleet(boxes.iter().map(target).collect()))
    }
}
