//! Info, tree, paths-info and references.

use serde_json::{Value, json};

use super::super::{Gate, TestHub};
use super::{LARGE, MODEL, ask, client, header, hub, json};

#[tokio::test]
async fn info_names_the_commit_and_the_files() {
    let (hub, large) = hub();
    let commit = hub.model(MODEL).licence("mit").file("new.txt", "x").commit();
    let info = json(&hub, "/api/models/acme/tiny?blobs=true").await;
    assert_eq!(info["sha"], commit.as_str());
    assert_eq!((&info["gated"], &info["private"]), (&json!(false), &json!(false)));
    assert_eq!(info["cardData"]["license"], "mit");
    let siblings = info["siblings"].as_array().unwrap();
    let find = |name: &str| siblings.iter().find(|file| file["rfilename"] == name).unwrap();
    assert_eq!(
        find(LARGE)["lfs"],
        json!({ "sha256": large.sha256(), "size": 3_000_000, "pointerSize": 132 })
    );
    // `printf '{"a":1}' | git hash-object --stdin`
    assert_eq!(find("config.json")["blobId"], "daa5053ecf5f9a37b2de733d0751cc1ab53ac010");
    let bare = json(&hub, "/api/models/acme/tiny").await;
    assert_eq!(bare["siblings"][0].as_object().unwrap().len(), 1);
}

#[tokio::test]
async fn revisions_are_branches_tags_references_and_commits() {
    let (hub, _) = hub();
    let tagged = hub.model(MODEL).file("one.txt", "1").tag("v1").commit();
    let proposed = hub.model(MODEL).file("two.txt", "2").reference("refs/pr/1").commit();
    let head = hub.model(MODEL).remove("one.txt").commit();
    for (revision, commit) in [
        ("main", &head),
        ("v1", &tagged),
        ("refs%2Fpr%2F1", &proposed),
        (tagged.as_str(), &tagged),
        (tagged.short(), &tagged),
    ] {
        let info = json(&hub, &format!("/api/models/acme/tiny/revision/{revision}")).await;
        assert_eq!(info["sha"], commit.as_str(), "{revision}");
    }
    let references = json(&hub, "/api/models/acme/tiny/refs").await;
    assert_eq!(
        references["tags"],
        json!([{ "name": "v1", "ref": "refs/tags/v1", "targetCommit": tagged.as_str() }])
    );
    assert_eq!(references["pullRequests"][0]["ref"], "refs/pr/1");
    let missing = ask(&hub, "/api/models/acme/tiny/revision/v2").await;
    assert_eq!((missing.status().as_u16(), header(&missing, "x-error-code")), (404, "RevisionNotFound"));
}

#[tokio::test]
async fn tree_lists_folders_too_and_pages_by_link() {
    let (hub, large) = hub();
    hub.set_page_size(2);
    let mut address =
        format!("{}/api/models/acme/tiny/tree/main?recursive=true&expand=false", hub.endpoint());
    let mut entries: Vec<Value> = Vec::new();
    let mut pages = 0;
    loop {
        let response = super::get(&address).send().await.unwrap();
        let next = header(&response, "link").strip_prefix('<').map(str::to_owned);
        entries.extend(serde_json::from_str::<Vec<Value>>(&response.text().await.unwrap()).unwrap());
        pages += 1;
        let Some(next) = next else { break };
        address = next.strip_suffix(">; rel=\"next\"").unwrap().to_owned();
    }
    let paths: Vec<_> = entries.iter().map(|entry| entry["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["config.json", LARGE, "sub", "sub/a b.txt"]);
    assert_eq!(pages, 2);
    assert_eq!(entries[1]["lfs"]["oid"], large.sha256());
    assert_eq!(entries[1]["size"], 3_000_000);
    assert_eq!((&entries[2]["type"], &entries[2]["size"]), (&json!("directory"), &json!(0)));
    let flat = json(&hub, "/api/models/acme/tiny/tree/main/sub").await;
    assert_eq!(flat[0]["path"], "sub/a b.txt");
}

#[tokio::test]
async fn paths_info_takes_a_form_or_json_and_leaves_out_the_unknown() {
    let (hub, _) = hub();
    let address = format!("{}/api/models/acme/tiny/paths-info/main", hub.endpoint());
    let form =
        ("application/x-www-form-urlencoded", "paths=config.json&paths=sub%2Fa+b.txt&paths=no&expand=false");
    for (kind, body) in [form, ("application/json", r#"{"paths":["config.json","sub/a b.txt","no"]}"#)] {
        let response = client().post(&address).header("content-type", kind).body(body).send().await.unwrap();
        let entries: Vec<Value> = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        let paths: Vec<_> = entries.iter().map(|entry| entry["path"].as_str().unwrap()).collect();
        assert_eq!(paths, ["config.json", "sub/a b.txt"], "{kind}");
    }
}

#[tokio::test]
async fn hostile_names_are_listed_as_they_are() {
    let hub = TestHub::start();
    let names = ["../x", "/etc/x", "a\0b", ".cache/hfdown/x", "Readme", "README"];
    names.iter().fold(hub.model("evil/model"), |draft, name| draft.file(name, "x")).commit();
    let tree = json(&hub, "/api/models/evil/model/tree/main?recursive=true").await;
    for name in names {
        assert!(tree.as_array().unwrap().iter().any(|entry| entry["path"] == name), "{name:?}");
    }
}

#[tokio::test]
async fn other_names_lead_to_a_repository_by_a_relative_redirect() {
    let hub = TestHub::start();
    hub.model("openai-community/gpt2").file("config.json", "{}").commit();
    hub.rename("gpt2", "openai-community/gpt2");
    for (asked, location) in [
        (
            "/api/models/gpt2/revision/main?blobs=true",
            "/api/models/openai-community/gpt2/revision/main?blobs=true",
        ),
        ("/gpt2/resolve/main/config.json", "/openai-community/gpt2/resolve/main/config.json"),
        ("/api/models/OpenAI-community/GPT2", "/api/models/openai-community/gpt2"),
    ] {
        let response = ask(&hub, asked).await;
        assert_eq!((response.status().as_u16(), header(&response, "location")), (307, location));
        assert_eq!(header(&response, "etag"), "");
    }
    hub.dataset("acme/data").gated(Gate::Manual, "hf_good").file("a.csv", "1").commit();
    assert_eq!(json(&hub, "/api/datasets/acme/data").await["gated"], "manual");
}
