//! The program as users install it: what `HFDOWN_INSTALLED` names (one path or several, with `:` between them) syncs to a
//! folder here and pushes to a box. tests/artefacts makes and installs them.

use hfdown_tests::hub::Content;
use hfdown_tests::mount::left_out;
use hfdown_tests::sandbox::{DestinationKind, Sandbox, run};
use serde_json::Value;

const MODEL: &str = "acme/tiny";
const INSTALLED: &str = "HFDOWN_INSTALLED";

fn installed() -> Vec<&'static str> {
    let programs = std::env::var(INSTALLED).unwrap_or_default();
    let programs: Vec<&str> = programs.leak().split(':').filter(|path| !path.is_empty()).collect();
    if programs.is_empty() {
        left_out("HFDOWN_INSTALLED names no program (tests/artefacts does)");
    }
    programs
}

async fn an_installed_program_does_the_main_job(place: DestinationKind) {
    for program in installed() {
        let Some(sandbox) = Sandbox::start(place, program).await else { return };
        let weights = Content::random(7, 3_000_000);
        sandbox.hub.model(MODEL).file("config.json", "{}").lfs("model.safetensors", weights).commit();
        let ended = sandbox.sync(MODEL, &["--json"]).await;
        assert_eq!(ended.code, 0, "{program}: {}", ended.stderr);
        assert_eq!(sandbox.files(), ["config.json", "model.safetensors"], "{program}");
        let objects = ended.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let opened = objects.into_iter().find(|object| object["type"] == "opened").unwrap();
        let agent = if place == DestinationKind::Here { "in_process" } else { "uploaded" };
        assert_eq!(opened["agent"], agent, "{program}: {opened}");
        let ended = sandbox.verify(MODEL, &[]).await;
        assert_eq!(ended.code, 0, "{program}: {}", ended.stderr);
    }
}

async fn an_installed_program_says_what_is_in_it(place: DestinationKind) {
    for program in installed() {
        let Some(sandbox) = Sandbox::start(place, program).await else { return };
        let ended = run(sandbox.hfdown(["--version"])).await;
        assert_eq!(ended.code, 0, "{program}: {}", ended.stderr);
        for line in ["hfdown ", "agent for Linux x86_64: ", "agent for Linux aarch64: "] {
            let said = ended.stdout.lines().find(|said| said.starts_with(line));
            assert!(said.is_some_and(|said| !said.contains(": none")), "{program}: {}", ended.stdout);
        }
    }
}

everywhere! {
    an_installed_program_does_the_main_job,
}

here! {
    an_installed_program_says_what_is_in_it,
}
