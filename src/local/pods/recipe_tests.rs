use serde_json::{Value, json};

use super::*;
use crate::inventory::Object;
use crate::local::pods::readiness::Check;

fn machine() -> Machine {
    Machine {
        synkronic: "/opt/syn's/synkronic".into(),
        folder: "/".into(),
        manifests: "/usr/bin".into(),
        runs: BTreeMap::from([("flagged".to_owned(), "make run".to_owned())]),
        path: vec!["/nowhere".into(), "/bin".into()],
    }
}

fn read(name: &str, metadata: Value, container: Value, base: &str) -> Result<Recipe, String> {
    let object = json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": "n"},
        "spec": {"selector": {}, "template": {"metadata": metadata,
            "spec": {"containers": [container], "terminationGracePeriodSeconds": 3}}}});
    let Some(Object::Deployment(facts)) = Object::read(object).unwrap() else { panic!("no Deployment") };
    recipe(&facts, Context { dpv: None, base }, &machine())
}

fn way_of(name: &str, annotations: Value, container: Value, base: &str) -> Result<Way, String> {
    read(name, json!({"annotations": annotations}), container, base).map(|recipe| recipe.way)
}

fn program(program: &str, arguments: &[&str]) -> Result<Way, String> {
    let arguments = arguments.iter().map(|word| (*word).to_owned()).collect();
    Ok(Way::Program { program: program.into(), arguments })
}

#[test]
fn the_containers_own_command() {
    let of = |container| way_of("shop", json!({}), container, "shop");
    assert_eq!(
        of(json!({"name": "w", "command": ["sh", "-c"], "args": ["x"]})),
        program("/bin/sh", &["-c", "x"])
    );
    assert_eq!(of(json!({"name": "w", "command": ["/bin/sh"]})), program("/bin/sh", &[]));
    let own = program("/opt/syn's/synkronic", &["echo"]);
    assert_eq!(of(json!({"name": "w", "command": ["synkronic", "echo"]})), own);
    assert_eq!(of(json!({"name": "w", "command": ["/usr/nowhere/synkronic", "echo"]})), own);
}

#[test]
fn where_nothing_says_how_the_sentence_does() {
    for (container, what) in [
        (json!({"name": "w", "image": "nginx"}), "no `command`"),
        (json!({"name": "w", "args": ["serve"]}), "no `command`"),
        (
            json!({"name": "w", "command": ["not-on-this-machine"]}),
            "`not-on-this-machine` is not on this machine",
        ),
    ] {
        let said = way_of("shop", json!({}), container, "shop").unwrap_err();
        assert!(said.contains(what), "{said}");
        assert!(
            said.contains("--run shop='npm run dev'") && said.contains("kyaninus.com/local-command"),
            "{said}"
        );
        assert!(said.contains("kyaninus.com/local-endpoint"), "{said}");
    }
}

#[test]
fn annotations_and_flags_and_which_goes_first() {
    let container = || json!({"name": "w", "command": ["sh"]});
    let command = json!({"kyaninus.com/local-command": "npm run dev"});
    let shell = |line: &str| Ok(Way::Shell(line.to_owned()));
    assert_eq!(way_of("shop", command.clone(), container(), "shop"), shell("npm run dev"));
    assert_eq!(way_of("flagged", command.clone(), container(), "flagged"), shell("make run"));
    assert_eq!(way_of("flagged-v2", command, container(), "flagged"), shell("make run"));
    let own = json!({"kyaninus.com/local-command": "synkronic echo | cat"});
    assert_eq!(way_of("shop", own, container(), "shop"), shell(r"'/opt/syn'\''s/synkronic' echo | cat"));
    let endpoint = |text: &str| json!({"kyaninus.com/local-endpoint": text});
    let address = |address: &str| Ok(Way::Endpoint { address: address.parse().ok(), port: 3 });
    assert_eq!(way_of("flagged-v2", endpoint("localhost:3"), container(), "flagged"), address("either"));
    assert_eq!(way_of("shop", endpoint("[::1]:3"), container(), "shop"), address("::1"));
    assert_eq!(way_of("shop", endpoint("127.0.0.1:3"), container(), "shop"), address("127.0.0.1"));
    assert_eq!(way_of("shop", endpoint(":3"), container(), "shop"), address("either"));
    assert!(way_of("shop", endpoint("shop.example.com:3"), container(), "shop").is_err());
}

#[test]
fn this_programs_own_echo_is_known() {
    let of = |annotations: Value, command: &[&str]| {
        let container = json!({"name": "w", "command": command});
        read("shop", json!({"annotations": annotations}), container, "shop").unwrap().is_echo()
    };
    let line = |line: &str| json!({"kyaninus.com/local-command": line});
    assert!(of(json!({}), &["synkronic", "echo"]));
    assert!(of(line("synkronic echo --version up"), &[]));
    assert!(of(line("sleep 1; exec /usr/bin/synkronic echo"), &[]));
    assert!(!of(json!({}), &["sh", "echo"]));
    assert!(!of(line("npm run dev"), &[]));
}

#[test]
fn the_folder_is_the_annotated_one_or_one_that_is_there() {
    let folder = |annotations: Value, container: Value| {
        read("shop", json!({"annotations": annotations}), container, "shop").unwrap().folder
    };
    let dir = |dir: &str| json!({"kyaninus.com/local-dir": dir});
    assert_eq!(folder(dir("../lib"), json!({"name": "w", "command": ["sh"]})), Path::new("/usr/bin/../lib"));
    let nowhere = json!({"annotations": dir("nowhere")});
    let said = read("shop", nowhere, json!({"name": "w", "command": ["sh"]}), "shop").unwrap_err();
    assert_eq!(
        said,
        "there is no folder `/usr/bin/nowhere`; correct the annotation `kyaninus.com/local-dir`"
    );
    let container = |dir: &str| json!({"name": "w", "command": ["sh"], "workingDir": dir});
    assert_eq!(folder(json!({}), container("/tmp")), Path::new("/tmp"));
    assert_eq!(folder(json!({}), container("/only/in/the/image")), Path::new("/"));
}

#[test]
fn a_launch_has_its_words_expanded() {
    let container = json!({"name": "w", "command": ["sh"], "args": ["--port=$(PORT)", "$$(PORT)"]});
    let recipe = read("shop", json!({}), container, "shop").unwrap();
    let launch = recipe.launch(vec![("PORT".to_owned(), "41".to_owned())]).unwrap();
    assert_eq!(launch.arguments, ["--port=41", "$(PORT)"]);
    assert_eq!(launch.grace, Duration::from_secs(3));
}

#[test]
fn ports_stand_in_place_of_container_ports() {
    let container: Container = serde_json::from_value(json!({"name": "w", "ports": [
        {"containerPort": 8080, "name": "http"}, {"containerPort": 9090, "name": "m-x"}, {"containerPort": 1}]}))
    .unwrap();
    let ports = Ports(vec![41, 42, 43]);
    for (target, port) in [
        ("http", Some(41)),
        ("8080", Some(41)),
        ("9090", Some(42)),
        ("m-x", Some(42)),
        ("77", Some(41)),
        ("no", None),
    ] {
        assert_eq!(ports.target(&container, target), port, "{target}");
    }
    let set = ports.variables(&container);
    assert_eq!(set, [("PORT".to_owned(), "41".to_owned()), ("PORT_M_X".to_owned(), "42".to_owned())]);
    assert_eq!(Ports::needed(&container), 3);
}

#[test]
fn probes_read_as_written() {
    let of = |probe: Value| {
        let container = json!({"name": "w", "readinessProbe": probe});
        Readiness::of(&serde_json::from_value(container).unwrap())
    };
    let http = of(
        json!({"httpGet": {"port": "http", "httpHeaders": [{"name": "A", "value": "b"}]}, "periodSeconds": 2}),
    );
    let fields = vec![("A".to_owned(), "b".to_owned())];
    assert_eq!(http.check, Check::Http { port: "http".to_owned(), path: "/".to_owned(), fields });
    assert_eq!((http.period, http.timeout), (Duration::from_secs(2), Duration::from_secs(1)));
    assert_eq!((http.successes, http.failures), (1, 3));
    assert_eq!(of(json!({"tcpSocket": {"port": 80}})).check, Check::Tcp("80".to_owned()));
    assert_eq!(of(json!({"grpc": {"port": 81}})).check, Check::Tcp("81".to_owned()));
    assert_eq!(of(json!({"exec": {"command": ["true"]}})).check, Check::Exec(vec!["true".to_owned()]));
    assert_eq!(of(json!({"httpGet": {"port": 1, "scheme": "HTTPS"}})).check, Check::Tcp("1".to_owned()));
    assert_eq!(of(json!(null)).check, Check::Accepts);
}

#[test]
fn what_the_version_says_goes_before_what_its_base_says() {
    let object = json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "shop-v1", "namespace": "n", "annotations": {"kyaninus.com/local-dir": "../lib"}},
        "spec": {"selector": {}, "template": {
            "metadata": {"annotations": {"kyaninus.com/local-command": "of-template"}},
            "spec": {"containers": [{"name": "w"}]}}}});
    let Some(Object::Deployment(facts)) = Object::read(object).unwrap() else { panic!("no Deployment") };
    let of = |dpv: &Labels| {
        let recipe = recipe(&facts, Context { dpv: Some(dpv), base: "shop" }, &machine()).unwrap();
        (recipe.way, recipe.folder.display().to_string())
    };
    let shell = |line: &str| Way::Shell(line.to_owned());
    assert_eq!(of(&Labels::new()), (shell("of-template"), "/usr/bin/../lib".to_owned()));
    let said = [("kyaninus.com/local-command", "of-version"), ("kyaninus.com/local-dir", ".")];
    let said = said.map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(of(&Labels::from(said)), (shell("of-version"), "/usr/bin/.".to_owned()));
}
