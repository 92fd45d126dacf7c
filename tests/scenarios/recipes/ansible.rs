//! Ansible, which tells `changed`, `ok` and `failed` by what hfdown says in `--json`.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Output};

use hfdown_tests::counterpart::Counterpart;
use hfdown_tests::fleet::{FOLDER, Fleet, FleetBox};
use serde_json::{Value, json};

use super::{CONFIG, MODEL, RecipeWorld, SIZE, WEIGHTS, assert_whole, instance, output, recipe};

struct Playbooks {
    world: RecipeWorld,
    fleet: Fleet,
}

impl Playbooks {
    /// Four boxes behind the real `sshd`, in an inventory.
    async fn start() -> Option<Self> {
        Counterpart::Recipe("ansible-playbook").require()?;
        let (world, fleet) = (RecipeWorld::start().await, Fleet::of_sshd(4).await?);
        let hosts: BTreeMap<_, _> = fleet
            .boxes()
            .iter()
            .map(|there| {
                let key = there.host.client_keys().private.display().to_string();
                let login = there.command();
                let user = login.rsplit(' ').next().and_then(|login| login.split('@').next());
                let address = json!({
                    "ansible_host": "127.0.0.1", "ansible_port": there.host.port(), "ansible_ssh_private_key_file": key,
                    "ansible_python_interpreter": "auto_silent", "ansible_user": user,
                });
                (&there.name, address)
            })
            .collect();
        let inventory = json!({"all": {"hosts": hosts}});
        fs::write(world.sandbox.scratch().join("hosts.json"), inventory.to_string()).unwrap();
        Some(Self { world, fleet })
    }

    /// Runs a playbook; whether it ended well, and what it says of each host: `changed`, `ok` or `failed`.
    async fn play(&self, playbook: &str, more: &[&str]) -> (bool, Vec<String>) {
        let output = self.world.ansible("hosts.json", playbook, more).await;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let states = self.fleet.boxes().iter().map(|there| state(&said, &there.name)).collect();
        (output.status.success(), states)
    }
}

impl RecipeWorld {
    async fn ansible(&self, inventory: &str, playbook: &str, more: &[&str]) -> Output {
        let program = Counterpart::Recipe("ansible-playbook").require().unwrap();
        let mut command = Command::new(program);
        self.in_here(&mut command);
        for (name, value) in [("HOST_KEY_CHECKING", "0"), ("LOCALHOST_WARNING", "0"), ("NOCOLOR", "1")] {
            command.env(format!("ANSIBLE_{name}"), value);
        }
        let variables = json!({
            "model": MODEL, "folder": FOLDER, "hub": {"HF_ENDPOINT": self.sandbox.hub.endpoint()},
            "hfdown": self.bin.join("hfdown"),
        });
        command.args(["-i", inventory]).arg(recipe(&format!("ansible/{playbook}")));
        command.args(["--forks", "4", "-e", &variables.to_string()]).args(more);
        output(command).await
    }
}

/// By the last lines: `box1 : ok=1 changed=1 unreachable=0 failed=0 …`.
fn state(said: &str, host: &str) -> String {
    let recap = said.split_once("PLAY RECAP").unwrap_or_else(|| panic!("{said}")).1;
    let line = recap.lines().find(|line| line.split(' ').next() == Some(host));
    let line = line.unwrap_or_else(|| panic!("{host}: {said}"));
    let count = |what: &str| {
        let word = line.split_whitespace().find_map(|word| word.strip_prefix(what)?.strip_prefix('='));
        word.unwrap_or_else(|| panic!("{what}: {said}")) != "0"
    };
    let states = [("failed", "failed"), ("unreachable", "unreachable"), ("changed", "changed"), ("ok", "ok")];
    states
        .iter()
        .find(|(what, _)| count(what))
        .map_or_else(|| panic!("{said}"), |(_, state)| (*state).to_owned())
}

async fn a_playbook_tells(playbook: &str) {
    let Some(there) = Playbooks::start().await else { return };
    let roots: Vec<_> = there.fleet.boxes().iter().map(FleetBox::root).collect();
    assert_eq!(there.play(playbook, &["--check"]).await, (true, vec!["changed".to_owned(); 4]));
    assert!(roots.iter().all(|root| !root.exists()), "a check changes nothing");

    assert_eq!(there.play(playbook, &[]).await, (true, vec!["changed".to_owned(); 4]));
    for root in &roots {
        assert_whole(root);
    }
    assert_eq!(there.world.fetched(), 4 * SIZE);

    assert_eq!(there.play(playbook, &[]).await, (true, vec!["ok".to_owned(); 4]));
    // One file is missing on one box, and on another one nothing can be put.
    fs::remove_file(roots[0].join(WEIGHTS)).unwrap();
    fs::remove_dir_all(&roots[3]).unwrap();
    fs::write(&roots[3], "in the way").unwrap();
    let (ended_well, states) = there.play(playbook, &[]).await;
    assert_eq!((ended_well, states), (false, ["changed", "ok", "ok", "failed"].map(str::to_owned).to_vec()));
    assert_whole(&roots[0]);
    assert_eq!(there.world.fetched(), 5 * SIZE);
}

#[tokio::test]
async fn a_playbook_on_the_controller_tells_changed_ok_and_failed() {
    a_playbook_tells("push.yml").await;
}

#[tokio::test]
async fn a_playbook_on_the_hosts_tells_changed_ok_and_failed() {
    a_playbook_tells("local.yml").await;
}

#[tokio::test]
async fn an_inventory_of_vast_instances_is_played_on() {
    let Some(program) = Counterpart::Recipe("ansible-inventory").require() else { return };
    let (world, fleet) = (RecipeWorld::start().await, Fleet::of(2).await);
    let ports: Vec<u16> = fleet.boxes().iter().map(|there| there.host.port()).collect();
    let mut proxied = instance(7, Some("twice"), 1);
    proxied["ports"] = Value::Null;
    let mut jupyter = instance(8, Some("twice"), 1);
    jupyter["ports"] = json!({});
    jupyter["image_runtype"] = json!("jupyter_direc ssh_proxy");
    let mut loading = instance(9, None, 1);
    loading["actual_status"] = json!("loading");
    world.puts_vastai(&[
        instance(5, Some("trainer"), ports[0]),
        instance(6, None, ports[1]),
        proxied,
        jupyter,
        loading,
    ]);
    let vast = recipe("ansible/vast.py");
    let mut listing = Command::new(program);
    world.in_here(&mut listing);
    let listed = {
        listing.arg("-i").arg(&vast).arg("--list");
        output(listing).await
    };
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let at =
        |host: &str, port: u16| json!({"ansible_host": host, "ansible_port": port, "ansible_user": "root"});
    let expected = json!({
        "trainer": at("127.0.0.1", ports[0]), "6": at("127.0.0.1", ports[1]),
        "twice-7": at("ssh4.vast.ai", 10_600), "twice-8": at("ssh4.vast.ai", 10_601),
    });
    assert_eq!(listed["_meta"]["hostvars"], expected, "{listed}");

    // The account's key is the one that `ssh` takes by itself.
    fs::create_dir(world.home().join(".ssh")).unwrap();
    let keys = fleet.boxes()[0].host.client_keys();
    fs::copy(&keys.private, world.home().join(".ssh/id_ed25519")).unwrap();
    fleet.boxes()[1].host.authorize(keys);
    let output = world.ansible(&vast.display().to_string(), "push.yml", &["--limit", "trainer,6"]).await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!((state(&said, "trainer"), state(&said, "6")), ("changed".to_owned(), "changed".to_owned()));
    fleet.boxes().iter().for_each(|there| assert_whole(&there.root()));
    assert!(fleet.boxes()[0].read(CONFIG).is_some());
}
