//! The boxes of a fleet, from wherever they are named: resolved, each once, with names.

use std::collections::HashMap;
use std::sync::Arc;

use super::fleet_texts::{FleetTexts, NamedText};
use super::folders::check_folder_there;
use super::settings::unreadable_ssh;
use crate::failure::{Exit, Problem};
use crate::fleet::hosts_file::{self, HostLine, LineFault};
use crate::fleet::{
    FleetTarget, MOST_TARGETS, Price, RangeError, Unnamed, VastError, VastInstance, VastInstances, expand,
    fold, names,
};
use crate::link::{LinkSettings, SshTarget};
use crate::text::sanitize;
use crate::text::units::count;

/// The most lines of a file that are told to be wrong.
const MOST_FAULTS: usize = 20;
/// The most characters of a word that is quoted.
const LONGEST_WORD: usize = 200;

const HOSTS: &str = "a line is an SSH command, or NAME = SSH command, and behind it -> DIR where the folder is another one there; \
     `#` begins a comment";
const RANGE: &str = "a range is written like root@gpu[001-064] or gpu[1-3,7]";
const NOT_RUNNING: &str =
    "`vastai show instances` says what they wait for; `vastai start instance ID` starts one";

/// A box of a fleet that has been resolved, and has no name yet.
#[derive(Debug)]
struct FleetMember {
    ssh: String,
    unnamed: Unnamed,
    /// What tells it from others, however it is written.
    identity: TargetIdentity,
    price: Option<Price>,
    /// The line that names it.
    line: Option<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct TargetIdentity {
    address: (String, String, u16),
    by_way_of: Vec<String>,
    folder: Option<String>,
}

/// The boxes of a fleet.
#[derive(Debug)]
pub struct FleetMembers {
    /// Which.
    pub targets: Vec<FleetTarget>,
    /// What is to be told of them.
    pub notes: Vec<String>,
}

/// What is known before they are.
pub(super) struct NamedBoxes<'a> {
    /// SSH commands, with ranges.
    pub(super) ssh: &'a [String],
    /// The folder of those that have none of their own.
    pub(super) folder: Option<&'a str>,
    /// Whether the hub cache takes the place of folders.
    pub(super) is_cache: bool,
    /// How links are made.
    pub(super) settings: &'a LinkSettings,
}

impl FleetMembers {
    /// Gathers them.
    pub(super) fn gather(asked: &NamedBoxes<'_>, texts: &FleetTexts) -> Result<Self, Problem> {
        let mut notes = Vec::new();
        let mut members = asked.of_words()?;
        if let Some(text) = &texts.hosts {
            members.extend(asked.of_file(text)?);
        }
        if let Some(text) = &texts.vast_json {
            members.extend(asked.of_instances(text, members.is_empty(), &mut notes)?);
        }
        if members.len() > MOST_TARGETS {
            return Err(Problem::new(Exit::Usage, "cannot go to so many boxes").because(RangeError::TooMany).hint(
                "share them among several commands; `hfdown help fleets` names engines that do that on many machines",
            ));
        }
        let (members, repeated) = merged(members);
        let unnamed: Vec<Unnamed> = members.iter().map(|member| member.unnamed.clone()).collect();
        let names = names(&unnamed);
        if !repeated.is_empty() {
            let folded = sanitize(fold(repeated.iter().map(|at| names[*at].as_str())), 4 * LONGEST_WORD);
            let targets = count(repeated.len(), "target");
            let are = if repeated.len() == 1 { "is" } else { "are" };
            notes.push(format!("{targets} {are} named more than once, and meant once: {folded}"));
        }
        let target = |(member, name): (FleetMember, String)| FleetTarget {
            name: Arc::from(name),
            ssh: member.ssh,
            folder: member.unnamed.folder,
            price: member.price,
        };
        let targets: Vec<_> = members.into_iter().zip(names).map(target).collect();
        asked.check_folders(&targets)?;
        Ok(Self { targets, notes })
    }
}

impl NamedBoxes<'_> {
    fn member(
        &self,
        ssh: &str,
        given: Option<&str>,
        own_folder: Option<&str>,
    ) -> Result<FleetMember, crate::link::TargetError> {
        let (target, _) = SshTarget::resolve(ssh, self.settings)?;
        let host = SshTarget::parse(ssh).map_or_else(|_| target.host.clone(), |(typed, _)| typed.host);
        let user = target.user.clone().or_else(|| self.settings.user.clone());
        let folder = own_folder.or(self.folder).map(str::to_owned);
        let bare = |folder: &String| match folder.trim_end_matches('/') {
            "" => folder.clone(),
            bare => bare.to_owned(),
        };
        let identity = TargetIdentity {
            address: (user.clone().unwrap_or_default(), target.host.to_lowercase(), target.port),
            by_way_of: target.jumps.iter().map(ToString::to_string).collect(),
            folder: folder.as_ref().map(bare),
        };
        let unnamed = Unnamed { given: given.map(str::to_owned), host, user, port: target.port, folder };
        Ok(FleetMember { ssh: ssh.to_owned(), unnamed, identity, price: None, line: None })
    }

    fn of_words(&self) -> Result<Vec<FleetMember>, Problem> {
        let mut members = Vec::new();
        for word in self.ssh {
            let commands = expand(word).map_err(|error| {
                let word = sanitize(word, LONGEST_WORD);
                Problem::new(Exit::Usage, format!("cannot read the hosts `{word}`"))
                    .because(error)
                    .hint(RANGE)
            })?;
            for ssh in commands {
                members.push(self.member(&ssh, None, None).map_err(|error| unreadable_ssh(&ssh, &error))?);
            }
        }
        Ok(members)
    }

    fn of_file(&self, text: &NamedText) -> Result<Vec<FleetMember>, Problem> {
        let NamedText { from, bytes } = text;
        let (lines, mut faults) = hosts_file::read(bytes);
        if lines.is_empty() && faults.is_empty() {
            return Err(Problem::new(Exit::Usage, format!("there are no hosts in {from}")).hint(HOSTS));
        }
        let mut members = Vec::new();
        for HostLine { line, name, ssh, folder } in lines {
            let why = match folder.as_deref().map(check_folder_there) {
                Some(Err(why)) => Some(format!("`{}` names no folder: {why}", quoted(folder.as_deref()))),
                Some(Ok(())) if self.is_cache => Some("a folder has no place beside --cache".to_owned()),
                _ => match self.member(&ssh, name.as_deref(), folder.as_deref()) {
                    Ok(member) => {
                        members.push(FleetMember { line: Some(line), ..member });
                        None
                    }
                    Err(error) => {
                        Some(format!("cannot read the SSH command `{}`: {error}", quoted(Some(&ssh))))
                    }
                },
            };
            faults.extend(why.map(|why| LineFault { line, why }));
        }
        faults.extend(names_of_several(&members));
        faults.sort_by_key(|fault| fault.line);
        if faults.is_empty() { Ok(members) } else { Err(broken_lines(from, &faults)) }
    }

    /// The instances that run. None at all is an error, unless there are other boxes.
    fn of_instances(
        &self,
        text: &NamedText,
        is_alone: bool,
        notes: &mut Vec<String>,
    ) -> Result<Vec<FleetMember>, Problem> {
        let NamedText { from, bytes } = text;
        let found = VastInstances::read(bytes).map_err(|error| no_instances(from, &error))?;
        let passed_over = found.passed_over();
        if found.running.is_empty() && is_alone {
            let problem = Problem::new(Exit::NotFound, format!("there is no running instance in {from}"));
            return Err(match passed_over {
                Some(others) => problem.because(format!("there is {others}")).hint(NOT_RUNNING),
                None => problem.because("the list is empty").hint("`vastai create instance` rents one"),
            });
        }
        notes.extend(passed_over.map(|others| format!("passed over, since they do not run: {others}")));
        if found.is_cut_off {
            notes.push(format!(
                "{from} is not the whole list: it names a further page, which belongs behind it"
            ));
        }
        let member = |VastInstance { name, ssh, price }: VastInstance| {
            let member =
                self.member(&ssh, Some(&name), None).map_err(|error| unreadable_ssh(&ssh, &error))?;
            Ok(FleetMember { price, ..member })
        };
        found.running.into_iter().map(member).collect()
    }

    /// Each has a folder, unless it is the hub cache.
    fn check_folders(&self, targets: &[FleetTarget]) -> Result<(), Problem> {
        let without = || targets.iter().filter(|target| target.folder.is_none());
        if self.is_cache || without().next().is_none() {
            return Ok(());
        }
        let names = sanitize(fold(without().map(|target| &*target.name)), LONGEST_WORD);
        let problem = Problem::new(Exit::Usage, format!("<DIR> is missing: the folder on {names}"));
        Err(problem.hint("the last word is the folder on the boxes; --cache in its place is the hub cache"))
    }
}

/// Each target once, and which of them were there more than once.
fn merged(members: Vec<FleetMember>) -> (Vec<FleetMember>, Vec<usize>) {
    let mut known: HashMap<TargetIdentity, usize> = HashMap::new();
    let (mut once, mut repeated) = (Vec::<FleetMember>::new(), Vec::new());
    for member in members {
        if let Some(at) = known.get(&member.identity) {
            let first = &mut once[*at];
            first.price = first.price.or(member.price);
            first.unnamed.given = first.unnamed.given.take().or(member.unnamed.given);
            if !repeated.contains(at) {
                repeated.push(*at);
            }
        } else {
            known.insert(member.identity.clone(), once.len());
            once.push(member);
        }
    }
    (once, repeated)
}

/// Names of a file that several boxes have. Several folders on one box may.
fn names_of_several(members: &[FleetMember]) -> Vec<LineFault> {
    let mut known: HashMap<&str, &FleetMember> = HashMap::new();
    let mut faults = Vec::new();
    for member in members {
        let (Some(name), Some(line)) = (&member.unnamed.given, member.line) else { continue };
        let first = *known.entry(name).or_insert(member);
        let box_of = |member: &FleetMember| TargetIdentity { folder: None, ..member.identity.clone() };
        if let (Some(other), true) = (first.line, box_of(first) != box_of(member)) {
            let why = format!("`{}` is the name of another box already, in line {other}", quoted(Some(name)));
            faults.push(LineFault { line, why });
        }
    }
    faults
}

fn broken_lines(from: &str, faults: &[LineFault]) -> Problem {
    let lines = count(faults.len(), "line");
    let make = if faults.len() == 1 { "makes" } else { "make" };
    let mut problem =
        Problem::new(Exit::Usage, format!("{lines} of {from} {make} no sense; nothing was begun"));
    for LineFault { line, why } in faults.iter().take(MOST_FAULTS) {
        problem = problem.because(format!("line {line}: {}", sanitize(why, 4 * LONGEST_WORD)));
    }
    if let Some(more) = faults.len().checked_sub(MOST_FAULTS).filter(|more| *more > 0) {
        problem = problem.because(format!("and {}", count(more, "further line")));
    }
    problem.hint(HOSTS)
}

fn no_instances(from: &str, error: &VastError) -> Problem {
    let hint = match error {
        VastError::Empty | VastError::Table | VastError::NoJson(_) => {
            "write it with: vastai show instances --raw"
        }
        VastError::Refused(_) => "`vastai set api-key KEY` tells vastai who you are",
        VastError::WebPage | VastError::Else(_) => {
            "it is what `vastai show instances --raw` prints that is read"
        }
        VastError::TooMany => "share them among several files",
    };
    Problem::new(Exit::Usage, format!("cannot read the instances of {from}")).because(error).hint(hint)
}

fn quoted(text: Option<&str>) -> String {
    sanitize(text.unwrap_or_default(), LONGEST_WORD)
}
