//! A shell: a run per line of a list, and what `vastai` prints.

use std::fs;
use std::process::Command;

use hfdown_tests::fleet::{FOLDER, Fleet};
use hfdown_tests::ssh_host::{HostOptions, LoginStep};
use tokio::io::AsyncWriteExt as _;

use super::{MODEL, RecipeWorld, SIZE, assert_whole, instance, recipe};

/// Runs a recipe with this on its standard input, and gives back its exit code and what it printed.
async fn run(world: &RecipeWorld, script: &str, arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut command = Command::new(recipe(script));
    world.in_here(&mut command);
    command.args(arguments);
    let mut command = tokio::process::Command::from(command);
    command
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
    let output = child.wait_with_output().await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[tokio::test]
async fn a_loop_over_boxes_has_an_exit_code_for_each_and_one_for_all() {
    let (world, mut fleet) = (RecipeWorld::start().await, Fleet::of(3).await);
    let lines = |fleet: &Fleet| {
        let boxes = fleet.boxes().iter().map(|there| there.command() + "\n");
        "# name=address\n\n".to_owned() + &boxes.collect::<String>()
    };
    let (code, said, errors) = run(&world, "shell/each.sh", &[MODEL, FOLDER], &lines(&fleet)).await;
    assert_eq!(code, 0, "{said}{errors}");
    assert!(said.lines().count() == 3 && said.lines().all(|line| line.starts_with("0 ssh -p ")), "{said}");
    fleet.boxes().iter().for_each(|there| assert_whole(&there.root()));

    let login = &[LoginStep::Password("there is no terminal")];
    fleet.add("closed", HostOptions { login, ..HostOptions::default() }).await;
    let (code, said, errors) = run(&world, "shell/each.sh", &[MODEL, FOLDER], &lines(&fleet)).await;
    assert_eq!(code, 3, "{said}{errors}");
    let closed = format!("4 {}", fleet.named("closed").command());
    assert!(said.lines().any(|line| line == closed), "{said}");
    assert_eq!(said.lines().filter(|line| line.starts_with("0 ")).count(), 3, "{said}");
    assert!(errors.contains("password"), "{errors}");
    assert_eq!(world.fetched(), 3 * SIZE);
}

#[tokio::test]
async fn what_vastai_shows_is_piped_into_one_command() {
    let (world, fleet) = (RecipeWorld::start().await, Fleet::of(3).await);
    // The account's key is the one that `ssh` takes by itself.
    fs::create_dir(world.home().join(".ssh")).unwrap();
    let keys = fleet.boxes()[0].host.client_keys();
    fs::copy(&keys.private, world.home().join(".ssh/id_ed25519")).unwrap();
    fleet.boxes().iter().for_each(|there| there.host.authorize(keys));
    let port = |number: usize| fleet.boxes()[number].host.port();
    let mut loading = instance(9, None, 1);
    loading["actual_status"] = "loading".into();
    world.puts_vastai(&[
        instance(5, Some("trainer"), port(0)),
        instance(6, Some("server"), port(1)),
        instance(7, None, port(2)),
        loading,
    ]);
    let (code, said, errors) = run(&world, "shell/vast.sh", &[MODEL, FOLDER], "").await;
    assert_eq!(code, 0, "{said}{errors}");
    fleet.boxes().iter().for_each(|there| assert_whole(&there.root()));
    assert_eq!(world.fetched(), 3 * SIZE);
}
