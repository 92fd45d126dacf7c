//! Kubernetes: the manifest is held against its schemas, and what its init container runs is run here.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use hfdown_tests::counterpart::Counterpart;
use serde_json::Value;

use super::{RecipeWorld, recipe};

const MANIFEST: &str = "kubernetes/server.yaml";

fn validated(program: &Path, manifest: &Path) -> Output {
    Command::new(program).arg("--strict").arg(manifest).output().unwrap()
}

/// The documents of a manifest.
fn documents(program: &Path, manifest: &Path) -> Vec<Value> {
    const READ: &str =
        "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(open(sys.argv[1])))))";
    let read =
        Command::new(program.with_file_name("python")).args(["-c", READ]).arg(manifest).output().unwrap();
    serde_json::from_slice(&read.stdout).unwrap()
}

#[tokio::test]
async fn a_manifest_is_right_and_its_init_container_fills_the_volume() {
    let Some(program) = Counterpart::Recipe("kubernetes-validate").require() else { return };
    let (world, manifest) = (RecipeWorld::start().await, recipe(MANIFEST));
    let said = validated(&program, &manifest);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    // That it can be wrong is what makes its being right mean something.
    let text = fs::read_to_string(&manifest).unwrap();
    for (right, wrong) in [
        ("runAsNonRoot", "runAsNoRoot"),
        ("initContainers:", "initContainer:"),
        ("replicas: 1", "replicas: one"),
    ] {
        let broken = world.sandbox.scratch().join("broken.yaml");
        fs::write(&broken, text.replacen(right, wrong, 1)).unwrap();
        assert!(!validated(&program, &broken).status.success(), "{wrong}");
    }

    let documents = documents(&program, &manifest);
    let deployment = documents.iter().find(|document| document["kind"] == "Deployment").unwrap();
    let pod = &deployment["spec"]["template"]["spec"];
    let (init, server) = (&pod["initContainers"][0], &pod["containers"][0]);
    let arguments: Vec<&str> =
        init["args"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    let commit = world.sandbox.hub.model(arguments[1]).file("config.json", "{}").commit();
    let mount = init["volumeMounts"][0]["mountPath"].as_str().unwrap();
    let volume = world.sandbox.scratch().join("volume");
    fs::create_dir(&volume).unwrap();
    let variable = |container: &Value, name: &str| {
        let variables = container["env"].as_array().unwrap();
        let value = variables
            .iter()
            .find(|variable| variable["name"] == name)
            .and_then(|variable| variable["value"].as_str());
        value.unwrap().replace(mount, &volume.display().to_string())
    };
    for _ in 0..2 {
        let mut command = Command::new(world.bin.join("hfdown"));
        world.in_here(&mut command);
        // A public model: the Secret is empty.
        command
            .env("HOME", variable(init, "HOME"))
            .env("HF_HUB_CACHE", variable(init, "HF_HUB_CACHE"))
            .env("HF_TOKEN", "");
        let ended = command.args(&arguments).output().unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    }
    // The server looks where the init container has put it.
    let cache = Path::new(&variable(server, "HF_HUB_CACHE"))
        .join(format!("models--{}", arguments[1].replace('/', "--")));
    assert_eq!(
        fs::read(cache.join("snapshots").join(commit.to_string()).join("config.json")).unwrap(),
        b"{}"
    );
    assert!(!server.to_string().contains("hub-token"), "the server has no token");
}
