//! A shell: a run per line of a list.

use std::process::Command;

use hfdown_tests::fleet::{FOLDER, Fleet};
use hfdown_tests::ssh_host::{HostOptions, LoginStep};
use tokio::io::AsyncWriteExt as _;

use super::{MODEL, RecipeWorld, SIZE, assert_whole, recipe};

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
