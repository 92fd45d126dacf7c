//! What targets are called: what they were given, or the shortest that tells them apart.

use std::collections::{HashMap, HashSet};

use crate::text::sanitize;

/// The most characters of a name.
const LONGEST_NAME: usize = 200;
/// How many ways there are to write one, from the shortest on.
const LEVELS: usize = 8;

/// A target that has no name yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unnamed {
    /// What it was called by the user, or by others.
    pub given: Option<String>,
    /// The host as it was typed.
    pub host: String,
    /// The user there.
    pub user: Option<String>,
    /// The port.
    pub port: u16,
    /// The folder, if it has one.
    pub folder: Option<String>,
}

/// A name for each, no two the same.
pub fn names(targets: &[Unnamed]) -> Vec<String> {
    let mut groups: HashMap<String, Vec<usize>> = HashMap::new();
    for (at, target) in targets.iter().enumerate() {
        groups.entry(target.at_level(0)).or_default().push(at);
    }
    let mut names: Vec<String> = vec![String::new(); targets.len()];
    for group in groups.into_values() {
        let at_level = |level: usize| group.iter().map(move |at| targets[*at].at_level(level));
        let tells_apart = |level: &usize| at_level(*level).collect::<HashSet<_>>().len() == group.len();
        let level = (0..LEVELS).find(tells_apart).unwrap_or(LEVELS - 1);
        for (at, name) in group.iter().zip(at_level(level)) {
            names[*at] = name;
        }
    }
    let mut taken = HashSet::new();
    for name in &mut names {
        // A way through another gateway is all that may be left to tell.
        let numbered = (2..).map(|number| format!("{name} #{number}"));
        let free = std::iter::once(name.clone()).chain(numbered).find(|name| !taken.contains(name));
        *name = free.unwrap_or_default();
        taken.insert(name.clone());
    }
    names
}

impl Unnamed {
    fn at_level(&self, level: usize) -> String {
        let Self { given, host, user, port, folder } = self;
        let (has_port, has_user) = (level & 1 > 0, level & 2 > 0);
        let user = user.as_ref().filter(|_| has_user).map(|user| format!("{user}@")).unwrap_or_default();
        let address = match (has_port, host.contains(':')) {
            (true, true) => format!("{user}[{host}]:{port}"),
            (true, false) => format!("{user}{host}:{port}"),
            (false, _) => format!("{user}{host}"),
        };
        let name = match given {
            None => address,
            Some(given) if level == LEVELS - 1 => format!("{given} ({address})"),
            Some(given) => given.clone(),
        };
        let folder = folder.as_ref().filter(|_| level & 4 > 0);
        sanitize(folder.map_or(name.clone(), |folder| format!("{name}:{folder}")), LONGEST_NAME)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `NAME = USER@HOST:PORT/FOLDER`.
    fn unnamed(text: &str) -> Unnamed {
        let (given, rest) = text.split_once(" = ").map_or((None, text), |(given, rest)| (Some(given), rest));
        let (address, folder) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, host) = address.split_once('@').unwrap();
        let (host, port) = host.rsplit_once(':').unwrap();
        Unnamed {
            given: given.map(str::to_owned),
            host: host.to_owned(),
            user: Some(user.to_owned()).filter(|user| !user.is_empty()),
            port: port.parse().unwrap(),
            folder: Some(format!("/{folder}")).filter(|folder| folder != "/"),
        }
    }

    #[test]
    fn the_shortest_name_that_tells_targets_apart() {
        for (targets, expected) in [
            ("root@gpu1:22/m; root@gpu2:22/m", "gpu1 gpu2"),
            ("root@h:2201/m; root@h:2202/m; root@g:22/m", "h:2201 h:2202 g"),
            ("a@h:22/m; b@h:22/m", "a@h b@h"),
            ("a@h:22/m; b@h:22/m; b@h:23/m", "a@h:22 b@h:22 b@h:23"),
            ("root@h:22/a; root@h:22/b", "h:/a h:/b"),
            ("root@h:22/a; root@h:22/b; root@h:23/b", "h:22:/a h:22:/b h:23:/b"),
            ("root@h:22; root@h:22/b", "h h:/b"),
            ("root@::1:22/a; root@::1:23/a", "[::1]:22 [::1]:23"),
            ("x = root@h:22/a; root@h:22/b", "x h"),
            ("x = root@h:22/a; x = root@h:22/b", "x:/a x:/b"),
            ("x = root@g:22/a; x = root@h:22/a", "x (root@g:22):/a x (root@h:22):/a"),
            ("h = root@g:22/a; root@h:22/a", "h h:22"),
            ("root@h:22/a; root@h:22/a", "root@h:22:/a root@h:22:/a_#2"),
        ] {
            let targets: Vec<Unnamed> = targets.split("; ").map(unnamed).collect();
            let names: Vec<String> = names(&targets).iter().map(|name| name.replace(" #", "_#")).collect();
            assert_eq!(names.join(" "), expected, "{targets:?}");
        }
    }
}
