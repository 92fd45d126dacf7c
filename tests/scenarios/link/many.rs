//! The links to many boxes of one run: what they share, and what they spare servers.

use std::fs;
use std::sync::Arc;

use hfdown::link::{
    AgentLink, AgentOrigin, Keyring, LinkError, LinkSettings, SharedLinks, SshTarget, reach_leaving,
};
use hfdown_tests::ssh_host::{HostOptions, SshHost, SshServerKind};

use super::echo::{ECHO, images, talk};
use super::keys::PassphraseScript;

const BOXES: usize = 8;

/// To all of these at once, as the targets of one run.
async fn go_to_all(
    commands: impl IntoIterator<Item = String>,
    settings: &LinkSettings,
    links: &SharedLinks,
) -> Vec<Result<AgentLink, LinkError>> {
    let ways = commands.into_iter().map(|command| {
        let (settings, links) = (settings.for_target(), links.clone());
        tokio::spawn(async move {
            let (target, _) = SshTarget::parse(&command).unwrap();
            reach_leaving(&target, &settings, &links, &images(ECHO), &mut None).await
        })
    });
    let ways: Vec<_> = ways.collect();
    let mut reached = Vec::new();
    for way in ways {
        reached.push(way.await.unwrap());
    }
    reached
}

async fn talk_to_all(reached: Vec<Result<AgentLink, LinkError>>) -> Vec<AgentLink> {
    let mut links = Vec::new();
    for reached in reached {
        let mut link = reached.unwrap();
        talk(&mut link).await;
        links.push(link);
    }
    links
}

/// A gateway, boxes behind it, settings that know the keys of all, and the way to each.
async fn behind_a_gateway(kind: SshServerKind) -> Option<(SshHost, Vec<SshHost>, LinkSettings, Vec<String>)> {
    let gateway = SshHost::start(SshServerKind::Sshd, HostOptions::default()).await?;
    let mut hosts = Vec::new();
    for _ in 0..BOXES {
        hosts.push(SshHost::start(kind, HostOptions::default()).await?);
    }
    let address = gateway.command_without_key();
    let jump = format!("{}:{}", address.rsplit(' ').next().unwrap(), gateway.port());
    let keys = vec![gateway.client_keys().private.clone()];
    let settings = LinkSettings { default_keys: keys, ..gateway.settings() };
    let commands = hosts.iter().map(|host| format!("{} -J {jump}", host.command())).collect();
    Some((gateway, hosts, settings, commands))
}

async fn one_connection_to_a_gateway_carries_all_boxes(kind: SshServerKind) {
    let Some((gateway, hosts, settings, commands)) = behind_a_gateway(kind).await else { return };
    let links = SharedLinks::default();
    let mut reached = talk_to_all(go_to_all(commands.clone(), &settings, &links).await).await;
    assert_eq!(gateway.connections(), 1);
    // A box that fails takes nothing from the others.
    hosts[0].kill_connections();
    drop(reached.remove(0));
    for link in &mut reached {
        talk(link).await;
    }
    // The gateway goes away, and all come back over one connection.
    gateway.kill_connections();
    let mut again = talk_to_all(go_to_all(commands.clone(), &settings, &links).await).await;
    assert_eq!(gateway.connections(), 2);
    drop(reached);
    for link in &mut again {
        talk(link).await;
    }
    // The last one closes it.
    drop(again);
    talk_to_all(go_to_all(commands.into_iter().take(1), &settings, &links).await).await;
    assert_eq!(gateway.connections(), 3);
}

async fn a_gateway_that_lets_no_one_in_is_not_asked_by_each_box(kind: SshServerKind) {
    let Some((gateway, hosts, settings, commands)) = behind_a_gateway(kind).await else { return };
    let links = SharedLinks::default();
    let settings = LinkSettings { default_keys: vec![hosts[0].client_keys().private.clone()], ..settings };
    for _ in 0..2 {
        for reached in go_to_all(commands.clone(), &settings, &links).await {
            let Err(LinkError::Jump { jump, source }) = reached else { panic!("it was passed") };
            assert_eq!(jump, format!("127.0.0.1:{}", gateway.port()));
            assert!(matches!(*source, LinkError::Auth { .. }), "{source:?}");
        }
    }
    assert_eq!(gateway.connections(), 1);
    assert!(hosts.iter().all(|host| host.connections() == 0));
}

async fn a_server_that_takes_few_logins_at_once_takes_those_of_all_its_boxes(kind: SshServerKind) {
    // A login more than hfdown begins at once is dropped, and so is each one more: with nothing to spare, a server that has
    // not noticed yet that one is over would drop the next.
    let configuration = Some("MaxStartups 5:100:5".to_owned());
    let Some(host) = SshHost::start(kind, HostOptions { configuration, ..HostOptions::default() }).await
    else {
        return;
    };
    let links = SharedLinks::default();
    let links = talk_to_all(go_to_all((0..24).map(|_| host.command()), &host.settings(), &links).await).await;
    let uploads = links.iter().filter(|link| matches!(link.origin, AgentOrigin::Uploaded { .. })).count();
    assert_eq!((host.connections(), uploads), (24, 1), "and the agent is brought once");
    let known = fs::read_to_string(host.own_known_hosts()).unwrap();
    assert_eq!(known.matches(&host.host_keys().public()).count(), 1, "{known}");
}

async fn all_boxes_of_a_run_ask_for_a_passphrase_once(kind: SshServerKind) {
    let mut hosts = Vec::new();
    for _ in 0..BOXES {
        let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
        hosts.push(host);
    }
    let keys = hosts[0].client_keys();
    for host in &hosts {
        host.authorize(keys);
    }
    keys.lock("a secret");
    let with = |script: &Arc<PassphraseScript>| LinkSettings {
        keyring: Keyring::default().with_prompt(script.clone()),
        default_keys: vec![keys.private.clone()],
        ..hosts[0].settings()
    };
    let commands = || hosts.iter().map(SshHost::command_without_key);
    let script = PassphraseScript::of(&["wrong", "a secret"]);
    talk_to_all(go_to_all(commands(), &with(&script), &SharedLinks::default()).await).await;
    assert_eq!(script.asked(), 2);
    // Their keys are new, and all are remembered.
    let known = fs::read_to_string(hosts[0].own_known_hosts()).unwrap();
    for host in &hosts {
        assert_eq!(known.matches(&host.host_keys().public()).count(), 1, "{known}");
    }
    for (answers, asked) in [(&["no"; 9][..], 3), (&[], 1)] {
        let script = PassphraseScript::of(answers);
        let reached = go_to_all(commands(), &with(&script), &SharedLinks::default()).await;
        assert!(reached.iter().all(|reached| matches!(reached, Err(LinkError::Auth { .. }))));
        assert_eq!(script.asked(), asked);
    }
}

on_boxes! {
    one_connection_to_a_gateway_carries_all_boxes,
    a_gateway_that_lets_no_one_in_is_not_asked_by_each_box,
    a_server_that_takes_few_logins_at_once_takes_those_of_all_its_boxes,
    all_boxes_of_a_run_ask_for_a_passphrase_once,
}
