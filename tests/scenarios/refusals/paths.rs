//! DIR, written as shells, other systems and chats teach it: never made into a folder of that name.

use hfdown_tests::sandbox::{Sandbox, run};

use super::words::{assert_untouched, everything, refusal};

const MODEL: &str = "acme/tiny";

/// What is refused, with the words that say what to type.
const ODD: [(&str, &str); 16] = [
    ("~user/x", "write the whole path, like /home/user/x, or ~/x for"),
    ("~user", "write the whole path, like /home/user, or ~/models for"),
    ("~+/x", "the homes of other users are not looked up"),
    ("C:\\x", "it is a path of Windows"),
    ("D:/models", "it is a path of Windows"),
    ("\\\\server\\share", "it is a path of Windows"),
    ("%USERPROFILE%\\x", "it is a path of Windows"),
    ("~\\models", "write ~/models"),
    ("models\\x", "write models/x"),
    ("file:///tmp/x", "write /tmp/x"),
    ("${HOME}/x", "variables "),
    ("work/$MODEL", "variables "),
    ("'models/x'", "it has quotes of its own: write models/x"),
    ("models/x\r", "it ends in a line break: write models/x"),
    (" models", "it begins or ends with a space: write models"),
    ("root@box:/workspace", "machine"),
];

async fn odd_folders_here_are_answered_with_what_to_type(sandbox: Sandbox) {
    sandbox.hub.model(MODEL).file("config.json", "{}").commit();
    for (folder, words) in ODD {
        for verb in [
            &["download", MODEL, folder][..],
            &["rsync-sync", MODEL, folder],
            &["file", MODEL, "config.json", folder],
        ] {
            let ended = run(sandbox.hfdown(verb)).await;
            let said = refusal(&sandbox, &ended, 2);
            assert!(said.contains(words), "{verb:?}: {said}");
        }
    }
    assert_eq!(sandbox.hub.requests().len(), 0);
    assert_untouched(&sandbox);
    // What a shell did not fill in, because it was quoted.
    let ended = run(sandbox.hfdown(["rsync-sync", MODEL, "~/models"])).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(sandbox.scratch().join("home/models/config.json").is_file());
    // What is really meant can be written.
    let ended = run(sandbox.hfdown(["rsync-sync", MODEL, "./~user/x"])).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(sandbox.scratch().join("~user/x/config.json").is_file());
}

async fn odd_folders_on_a_box_are_answered_before_it_is_asked(sandbox: Sandbox) {
    sandbox.hub.model(MODEL).file("config.json", "{}").commit();
    let host = sandbox.host.as_ref().expect("a box");
    let before = everything(host.home());
    let ssh = host.command();
    for (folder, words) in ODD {
        let words = if folder.contains('@') { "the box is named by the SSH command" } else { words };
        for verb in
            [&["rsync-to-vast", MODEL, &ssh, folder][..], &["attach", &ssh, folder], &["stop", &ssh, folder]]
        {
            let ended = run(sandbox.hfdown(verb)).await;
            let said = refusal(&sandbox, &ended, 2);
            assert!(said.contains(words), "{verb:?}: {said}");
        }
    }
    assert_eq!((sandbox.hub.requests().len(), everything(host.home())), (0, before));
    assert_untouched(&sandbox);
    for (folder, place) in [("~/models", "models"), ("~", "."), ("./~user/x", "~user/x")] {
        let ended = run(sandbox.hfdown(["rsync-to-vast", MODEL, &ssh, folder])).await;
        assert_eq!(ended.code, 0, "{folder}: {}", ended.stderr);
        assert!(
            host.home().join(place).join("config.json").is_file(),
            "{folder}: {:?}",
            everything(host.home())
        );
    }
}

here! {
    odd_folders_here_are_answered_with_what_to_type,
}

on_boxes! {
    odd_folders_on_a_box_are_answered_before_it_is_asked,
}
