//! Slurm: four tasks on four nodes.

use std::fs;
use std::process::{Command, Output};

use hfdown_tests::slurm::{NODES, Slurm};
use serde_json::Value;

use super::{MODEL, RecipeWorld, SIZE, assert_whole, recipe};

/// A command of Slurm's, with the environment of its user.
fn run(world: &RecipeWorld, slurm: &Slurm, program: &str, arguments: &[&str]) -> Output {
    let mut command = slurm.command(program);
    let configuration = command
        .get_envs()
        .find_map(|(name, value)| (name == "SLURM_CONF").then(|| value.unwrap().to_owned()));
    world.in_here(&mut command);
    command.env("SLURM_CONF", configuration.unwrap()).current_dir(slurm.shared());
    command.args(arguments).output().unwrap()
}

fn words(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn sbatch(world: &RecipeWorld, slurm: &Slurm, script: &str, arguments: &[&str]) -> (i32, String) {
    let script = recipe(&format!("slurm/{script}")).display().to_string();
    let nodes = NODES.to_string();
    let options = ["--wait", "--nodes", &nodes, "--output", "job.out", &script];
    let output = run(world, slurm, "sbatch", &[&options, arguments].concat());
    let said = fs::read_to_string(slurm.shared().join("job.out")).unwrap_or_default();
    (output.status.code().unwrap(), words(&output) + &said)
}

#[tokio::test]
async fn all_tasks_of_a_job_get_one_download_on_a_disk_that_they_share() {
    let Some(slurm) = Slurm::start() else { return };
    let world = RecipeWorld::start().await;
    let shared = slurm.shared().join("models/tiny");
    let folder = shared.display().to_string();
    let (code, said) = sbatch(&world, &slurm, "shared.sbatch", &[MODEL, &folder]);
    assert_eq!(code, 0, "{said}");
    assert_whole(&shared);
    assert_eq!(world.fetched(), SIZE, "it came once");

    // The same by hand, with an object per task to tell them apart.
    fs::remove_dir_all(&shared).unwrap();
    let nodes = NODES.to_string();
    let words_of_srun =
        ["--nodes", &nodes, "--ntasks", &nodes, "hfdown", "rsync-sync", MODEL, &folder, "--json"];
    let output = run(&world, &slurm, "srun", &words_of_srun);
    assert!(output.status.success(), "{}", words(&output));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let events = said.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let ends = events.filter(|event| event["type"] == "finished");
    let mut ends: Vec<_> =
        ends.map(|end| (end["placed"].as_u64().unwrap(), end["kept"].as_u64().unwrap())).collect();
    ends.sort_unstable();
    assert_eq!(ends, [(0, 2), (0, 2), (0, 2), (2, 0)], "{said}");
    assert_whole(&shared);
    assert_eq!(world.fetched(), 2 * SIZE, "it came once");

    let (code, said) = sbatch(&world, &slurm, "shared.sbatch", &["acme/absent", &folder]);
    assert_eq!(code, 5, "the job ends as its tasks did: {said}");
}

#[tokio::test]
async fn each_node_gets_its_own_on_disks_of_their_own() {
    let Some(slurm) = Slurm::start() else { return };
    let world = RecipeWorld::start().await;
    let folder = slurm.shared().join("scratch-%n").display().to_string();
    let (code, said) = sbatch(&world, &slurm, "scratch.sbatch", &[MODEL, &folder, "--connections", "2"]);
    assert_eq!(code, 0, "{said}");
    for node in 1..=NODES {
        assert_whole(&slurm.shared().join(format!("scratch-n{node}")));
    }
    assert_eq!(world.fetched(), NODES as u64 * SIZE);
}

/// A script that bash can't read would fail in the middle of the night.
#[test]
fn every_script_is_one() {
    for script in ["slurm/shared.sbatch", "slurm/scratch.sbatch", "shell/each.sh", "shell/vast.sh"] {
        let checked = Command::new("bash").arg("-n").arg(recipe(script)).output().unwrap();
        assert!(checked.status.success(), "{script}: {}", words(&checked));
    }
}
