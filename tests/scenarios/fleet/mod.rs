//! Many boxes of one command.

mod control;
mod kinds;
mod mixed;
mod whole;

use hfdown_tests::fleet::{FOLDER, Fleet, FleetBox};
use hfdown_tests::hub::{Content, HubOrigin};
use hfdown_tests::sandbox::{DestinationKind, Sandbox, ended};
use serde_json::Value;
use tokio::process::{Child, Command};

use crate::places::HFDOWN;

pub(crate) const MODEL: &str = "acme/tiny";
pub(crate) const CONFIG: &str = "config.json";
pub(crate) const CONFIG_BYTES: &[u8] = b"{\"layers\": 2}";
pub(crate) const WEIGHTS: &str = "model.safetensors";
pub(crate) const SIZE: u64 = 1_500_000;

/// A Hub with a model, and boxes that are to have it.
pub(crate) struct FleetWorld {
    pub(crate) sandbox: Sandbox,
    pub(crate) fleet: Fleet,
}

/// How a command for many boxes ended, with `--json`.
pub(crate) struct FleetRun {
    pub(crate) code: i32,
    pub(crate) events: Vec<Value>,
    pub(crate) errors: String,
}

impl FleetWorld {
    pub(crate) async fn with(fleet: Fleet) -> Self {
        let sandbox = hub_alone().await;
        sandbox.hub.model(MODEL).file(CONFIG, CONFIG_BYTES).lfs(WEIGHTS, weights()).commit();
        Self { sandbox, fleet }
    }

    /// So many boxes in this process.
    pub(crate) async fn of(count: usize) -> Self {
        Self::with(Fleet::of(count).await).await
    }

    /// A verb for all boxes and their folder. Words that come before the boxes are behind the verb.
    pub(crate) fn command(&self, verb: &[&str], more: &[&str]) -> Command {
        let hosts = self.fleet.hosts_file();
        let (verb, words) = verb.split_at(1);
        self.sandbox.hfdown([verb, words, &["--hosts", &hosts, FOLDER], more].concat())
    }

    pub(crate) fn syncing(&self, more: &[&str]) -> Command {
        self.command(&["rsync-to-vast", MODEL], more)
    }

    pub(crate) async fn sync(&self, more: &[&str]) -> FleetRun {
        run(self.syncing(more)).await
    }

    /// Bytes that the CDN has sent.
    pub(crate) fn fetched(&self) -> u64 {
        self.sandbox.hub.bytes_sent(HubOrigin::Cdn)
    }

    #[track_caller]
    pub(crate) fn assert_whole<'a>(&'a self, names: impl IntoIterator<Item = &'a str>) {
        for name in names {
            assert_whole(self.fleet.named(name));
        }
    }
}

impl FleetRun {
    /// What became of a box.
    #[track_caller]
    pub(crate) fn of(&self, name: &str) -> &Value {
        let is_it = |event: &&Value| event["type"] == "box_finished" && event["box"] == name;
        let mut found = self.events.iter().filter(is_it);
        let outcome = found.next().unwrap_or_else(|| panic!("nothing is said of {name}: {}", self.words()));
        assert!(found.next().is_none(), "{name} has one outcome");
        outcome
    }

    /// What became of all of them.
    #[track_caller]
    pub(crate) fn end(&self) -> &Value {
        let end = self.events.last().unwrap_or_else(|| panic!("nothing is said: {}", self.errors));
        assert_eq!(end["type"], "fleet_finished", "{}", self.words());
        end
    }

    /// The word and the exit code of a box's outcome.
    #[track_caller]
    pub(crate) fn ending(&self, name: &str) -> (&str, i64) {
        let outcome = self.of(name);
        (outcome["outcome"].as_str().unwrap(), outcome["exit_code"].as_i64().unwrap())
    }

    pub(crate) fn words(&self) -> String {
        let events: Vec<_> = self.events.iter().map(Value::to_string).collect();
        format!("{}\n{}", events.join("\n"), self.errors)
    }
}

pub(crate) fn weights() -> Content {
    Content::random(41, SIZE)
}

#[track_caller]
pub(crate) fn assert_whole(there: &FleetBox) {
    assert_eq!(there.read(CONFIG).as_deref(), Some(CONFIG_BYTES), "{}", there.name);
    assert!(there.read(WEIGHTS).is_some_and(|bytes| bytes == weights().to_vec()), "{}", there.name);
}

/// A Hub, and a place to run the program from.
async fn hub_alone() -> Sandbox {
    Sandbox::start(DestinationKind::Here, HFDOWN).await.expect("this machine is always there")
}

/// Runs a command with `--json` to its end.
pub(crate) async fn run(mut command: Command) -> FleetRun {
    finished(command.arg("--json").spawn().unwrap()).await
}

/// Waits for the end of one that was given `--json`.
pub(crate) async fn finished(child: Child) -> FleetRun {
    let ended = ended(child).await;
    let events = ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap());
    FleetRun { code: ended.code, events: events.collect(), errors: ended.stderr }
}
