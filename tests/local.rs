//! `synkronic local` as a program, with real processes behind it.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

#[path = "local/processes.rs"]
mod processes;
#[path = "local/running.rs"]
mod running;

use std::path::Path;

use processes::{marked, wait_until};
use running::Running;
use rustix::process::{Pid, Signal, kill_process};

/// The example, in a folder of its own.
fn example() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/examples/shop");
    for file in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        std::fs::copy(file.path(), folder.path().join(file.file_name())).unwrap();
    }
    folder
}

/// A file with one thing in it replaced.
fn edit(folder: &tempfile::TempDir, file: &str, from: &str, to: &str) {
    let path = folder.path().join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from} is not in {file}");
    std::fs::write(path, text.replace(from, to)).unwrap();
}

fn wait_for_all(running: &Running) {
    running.wait_for("shop.localhost", "/", "base");
    for version in ["version-1", "version-2", "version-3"] {
        running.wait_for(&format!("{version}.shop.localhost"), "/", version);
    }
}

/// A Deployment and its Service, with these lines in its container.
fn deployment(name: &str, annotations: &str, container: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  selector: {{matchLabels: {{app: {name}}}}}\n  \
         template:\n    metadata: {{labels: {{app: {name}}}, annotations: {{{annotations}}}}}\n    spec:\n      containers:\n      \
         - {{name: web, image: none, {container}}}\n---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\n\
         spec: {{selector: {{app: {name}}}, ports: [{{port: 80}}]}}\n---\n"
    )
}

fn version(name: &str, overlay: &str) -> String {
    format!(
        "apiVersion: kyaninus.com/v1\nkind: DeploymentVersion\nmetadata: {{name: {name}}}\nspec: {{{overlay}}}\n---\n"
    )
}

#[test]
fn hosts_paths_rules_and_the_base() {
    let folder = example();
    let running = Running::start("routes", folder.path());
    wait_for_all(&running);
    let by_host = running.get("version-2.shop.localhost", "/");
    assert_eq!((by_host.echo(), by_host.edge()), ("version-2", ("version-2", "subdomain")));
    for host in ["shop.localhost", "localhost", "127.0.0.1"] {
        let by_path = running.get(host, "/version-2/some/page?x=1");
        assert_eq!((by_path.echo(), by_path.edge()), ("version-2", ("version-2", "path")), "{host}");
        assert!(by_path.body.contains("\"target\": \"/some/page?x=1\""), "{}", by_path.body);
        assert!(by_path.body.contains("\"x-forwarded-prefix\": \"/version-2\""), "{}", by_path.body);
    }
    let qa = running.try_get("shop.localhost", "/", "X-QA-Team: blue\r\n").unwrap();
    assert_eq!((qa.echo(), qa.edge()), ("version-3", ("version-3", "rule:qa-blue")));
    let base = running.get("shop.localhost", "/");
    assert_eq!((base.echo(), base.edge()), ("base", ("base", "active")));
    assert_eq!(running.get("elsewhere.localhost", "/").status, 404);
    let page = running.try_get("localhost", "/version-1/", "Accept: text/html\r\n").unwrap();
    assert!(page.body.contains("href=\"/version-2/\""), "{}", page.body);
    running.wait_for_words("qa-blue (X-QA-Team: blue), who opens the link");
    running.wait_for_words(&format!("http://localhost:{}/version-1/", running.port));
    running.wait_for_words("version-2 | echo version-2 listens on http://127.0.0.1:");
}

#[test]
fn saving_applies_and_deleting_deletes() {
    let folder = example();
    let running = Running::start("saving", folder.path());
    wait_for_all(&running);
    edit(&folder, "router.yaml", "active: base", "active: version-1");
    running.wait_for("shop.localhost", "/", "version-1");
    // A new version, in a file that takes an old one's place as editors put it there.
    let text = std::fs::read_to_string(folder.path().join("version-1.yaml")).unwrap();
    std::fs::write(folder.path().join(".new"), text.replace("shop-version-1", "shop-version-4")).unwrap();
    std::fs::rename(folder.path().join(".new"), folder.path().join("version-4.yaml")).unwrap();
    running.wait_for("version-4.shop.localhost", "/", "version-4");
    let before = running.processes();
    std::fs::remove_file(folder.path().join("version-2.yaml")).unwrap();
    wait_until("the route is gone", || running.get("version-2.shop.localhost", "/").status == 404);
    // Its process and that one's supervisor.
    wait_until("the process is gone", || running.processes() == before - 2);
    running.wait_for("version-3.shop.localhost", "/", "version-3");
    edit(&folder, "version-3.yaml", "deploymentSpec:", "suspend: true\n  deploymentSpec:");
    wait_until("no pod runs", || running.get("version-3.shop.localhost", "/").status == 503);
}

#[test]
fn a_half_saved_file_changes_nothing_and_is_named() {
    let folder = example();
    let running = Running::start("half", folder.path());
    wait_for_all(&running);
    let path = folder.path().join("version-2.yaml");
    let whole = std::fs::read_to_string(&path).unwrap();
    let half = whole.split_inclusive("metadata:").next().unwrap().to_owned() + "\n  name: {shop-ver";
    std::fs::write(&path, half).unwrap();
    running.wait_for_words("version-2.yaml:");
    // A later change is taken all the while.
    edit(&folder, "router.yaml", "active: base", "active: version-2");
    running.wait_for("shop.localhost", "/", "version-2");
    running.wait_for("version-2.shop.localhost", "/", "version-2");
}

#[test]
fn an_update_is_rolled_out_without_a_failed_request() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shop.yaml");
    let text =
        |version: &str| deployment("shop", "", &format!("command: [synkronic, echo, --version, {version}]"));
    std::fs::write(&file, text("one")).unwrap();
    let running = Running::start("rollout", folder.path());
    running.wait_for("shop.localhost", "/", "one");
    std::fs::write(&file, text("two")).unwrap();
    let mut answers = Vec::new();
    wait_until("the new one answers", || {
        let answer = running.get("shop.localhost", "/");
        answers.push((answer.status, answer.echo().to_owned()));
        answer.echo() == "two"
    });
    assert!(answers.iter().all(|(status, _)| *status == 200), "{answers:?}");
    wait_until("the old one is gone", || running.processes() == 2);
}

#[test]
fn ctrl_c_and_sigterm_end_every_process() {
    for signal in [Signal::INT, Signal::TERM] {
        let folder = example();
        let mut running = Running::start("ctrl-c", folder.path());
        wait_for_all(&running);
        assert!(running.processes() >= 8);
        running.signal(signal);
        assert_eq!(running.ended(), Some(0));
        assert_eq!(marked(&running.mark), []);
    }
}

#[test]
fn kill_9_leaves_no_process_behind() {
    let folder = example();
    // One that listens to nobody, with a family.
    let deaf = "kyaninus.com/local-command: \"trap '' TERM; setsid sleep 1000 & while :; do sleep 1; done\"";
    std::fs::write(folder.path().join("deaf.yaml"), deployment("deaf", deaf, "args: []")).unwrap();
    let mut running = Running::start("kill", folder.path());
    wait_for_all(&running);
    wait_until("the family runs", || running.processes() >= 8 + 4);
    running.signal(Signal::KILL);
    assert_eq!(running.ended(), None);
    wait_until("none is left", || marked(&running.mark).is_empty());
}

/// A Deployment whose process has a family: a child of its own, and the server one more.
fn family(name: &str) -> String {
    let program = env!("CARGO_BIN_EXE_synkronic");
    let line = format!("sleep 71717 & setsid sleep 71717 & {program} echo --version up & wait");
    deployment(name, &format!("kyaninus.com/local-command: '{line}'"), "args: []")
}

/// The supervisors of its pods: its children, but for such as are adopted.
fn supervisors(running: &Running) -> Vec<Pid> {
    let is_supervisor = |pid: &i32| {
        let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&words).contains("local-pod\0--grace-ms")
    };
    marked(&running.mark).into_iter().filter(is_supervisor).filter_map(Pid::from_raw).collect()
}

#[test]
fn killall_leaves_no_process_behind() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("shop.yaml"), family("shop")).unwrap();
    let mut running = Running::start("killall", folder.path());
    running.wait_for("shop.localhost", "/", "up");
    let supervisors = supervisors(&running);
    assert_eq!(supervisors.len(), 1);
    running.signal(Signal::TERM);
    supervisors.into_iter().for_each(|pid| kill_process(pid, Signal::TERM).unwrap());
    assert_eq!(running.ended(), Some(0));
    assert_eq!(marked(&running.mark), []);
}

#[test]
fn a_killed_supervisors_family_is_ended_and_started_again() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("shop.yaml"), family("shop")).unwrap();
    let running = Running::start("orphans", folder.path());
    running.wait_for("shop.localhost", "/", "up");
    let before = marked(&running.mark);
    let killed = supervisors(&running);
    killed.iter().for_each(|pid| kill_process(*pid, Signal::KILL).unwrap());
    let own = |pid: &i32| before.contains(pid);
    // `local` itself stays.
    wait_until("the family is gone", || marked(&running.mark).iter().filter(|pid| own(pid)).count() == 1);
    wait_until("another supervisor is there", || supervisors(&running).len() == 1);
    running.wait_for("shop.localhost", "/", "up");
}

/// A process that is to end although nobody reads what it says, or its input has no end.
fn assert_ends(mut child: std::process::Child) {
    let pid = Pid::from_child(&child);
    for _ in 0..2 {
        kill_process(pid, Signal::INT).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
    wait_until("it ends", || child.try_wait().unwrap().is_some());
}

fn started(folder: &str, mark: &str) -> std::process::Child {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_synkronic"));
    command.args(["local", folder]).env("SYNKRONIC_LISTEN", "127.0.0.1:0").env("TEST_MARK", mark);
    command.stdin(std::process::Stdio::piped());
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap()
}

#[test]
fn ctrl_c_ends_it_while_standard_input_is_open() {
    use std::io::BufRead;
    let mut child = started("-", "open-input");
    let mut said = std::io::BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap().contains("the configuration of local")));
    let input = child.stdin.take();
    assert_ends(child);
    drop(input);
}

#[test]
fn ctrl_c_ends_it_while_nobody_reads_what_a_pod_says() {
    let folder = tempfile::tempdir().unwrap();
    let mark = processes::mark("unread");
    let chatty =
        "kyaninus.com/local-command: 'while :; do echo 0123456789012345678901234567890123456789; done'";
    std::fs::write(folder.path().join("chatty.yaml"), deployment("chatty", chatty, "args: []")).unwrap();
    let child = started(folder.path().to_str().unwrap(), &mark);
    wait_until("it runs", || marked(&mark).len() >= 3);
    // Until the pipe is full.
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert_ends(child);
    wait_until("nothing is left", || marked(&mark).is_empty());
}

#[test]
fn what_pods_say_while_they_end_is_shown_with_whose_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let line = "kyaninus.com/local-command: \"trap 'echo my last words; exit' TERM; echo up; while :; do sleep 0.1; done\"";
    let text =
        ["shop", "mart"].map(|name| deployment(name, line, "args: []") + &version(&format!("{name}-v1"), ""));
    std::fs::write(folder.path().join("all.yaml"), text.concat()).unwrap();
    let mut running = Running::start("last", folder.path());
    // Both bases have a version v1.
    for label in ["shop", "mart", "shop-v1", "mart-v1"] {
        running.wait_for_words(&format!("{label} | up"));
    }
    running.signal(Signal::TERM);
    assert_eq!(running.ended(), Some(0));
    running.wait_for_words("shop-v1 | my last words");
}

#[test]
fn a_slow_save_changes_nothing_until_it_is_over() {
    use std::io::Write;
    let folder = example();
    let running = Running::start("slow", folder.path());
    wait_for_all(&running);
    let path = folder.path().join("version-1.yaml");
    let whole = std::fs::read_to_string(&path).unwrap();
    let mut file = std::fs::File::create(&path).unwrap();
    let begun = std::time::Instant::now();
    while begun.elapsed() < std::time::Duration::from_secs(1) {
        assert_eq!(running.get("version-1.shop.localhost", "/").echo(), "version-1");
    }
    file.write_all(whole.replace("shop-version-1", "shop-version-5").as_bytes()).unwrap();
    drop(file);
    running.wait_for("version-5.shop.localhost", "/", "version-5");
    wait_until("the old one is gone", || running.get("version-1.shop.localhost", "/").status == 404);
}

#[test]
fn a_version_without_a_command_says_what_to_write_and_the_rest_runs() {
    let folder = example();
    std::fs::write(folder.path().join("db.yaml"), deployment("db", "", "args: [serve]")).unwrap();
    let running = Running::start("missing", folder.path());
    wait_for_all(&running);
    running.wait_for_words("! db: its container has no `command`");
    running.wait_for_words("--run db='npm run dev'");
}

#[test]
fn one_that_runs_already_and_one_by_flag() {
    let upstream = tempfile::tempdir().unwrap();
    std::fs::write(
        upstream.path().join("a.yaml"),
        deployment("up", "", "command: [synkronic, echo, --version, up]"),
    )
    .unwrap();
    let upstream = Running::start("upstream", upstream.path());
    upstream.wait_for("up.localhost", "/", "up");
    upstream.wait_for_words("up | echo up listens on http://127.0.0.1:");
    let said = upstream.said();
    let port = said.split("echo up listens on http://127.0.0.1:").nth(1).unwrap().lines().next().unwrap();

    let folder = tempfile::tempdir().unwrap();
    let endpoint = format!(
        "template: {{metadata: {{annotations: {{kyaninus.com/local-endpoint: 'localhost:{port}'}}}}}}"
    );
    let text =
        deployment("shop", "", "args: []") + &version("shop-v1", &format!("deploymentSpec: {{{endpoint}}}"));
    std::fs::write(folder.path().join("shop.yaml"), text).unwrap();
    let arguments = [folder.path().to_str().unwrap(), "--run", "shop=synkronic echo --version by-flag"];
    let running = Running::start_with("endpoint", &arguments, None);
    // No Router, so it gets one; and its base runs by the flag.
    running.wait_for("shop.localhost", "/", "by-flag");
    running.wait_for("v1.shop.localhost", "/", "up");
    running.wait_for("localhost", "/v1/", "up");
    running.wait_for_words("no Router names `shop`, so one was added here");
    drop(upstream);
    wait_until("its route says so", || running.get("v1.shop.localhost", "/").status == 503);
}

#[test]
fn a_crash_is_restarted_and_its_words_are_told() {
    let folder = tempfile::tempdir().unwrap();
    // It comes up at the third start.
    let counter = folder.path().join("starts").display().to_string();
    let line = format!(
        "kyaninus.com/local-command: \"echo start >> {counter}; [ $(wc -l < {counter}) -gt 2 ] || \
         {{ echo 'error: DATABASE_URL is not set' >&2; exit 7; }}; exec synkronic-echo\""
    );
    let line = line.replace(
        "exec synkronic-echo",
        &format!("exec {} echo --version up", env!("CARGO_BIN_EXE_synkronic")),
    );
    std::fs::write(folder.path().join("shop.yaml"), deployment("shop", &line, "args: []")).unwrap();
    let running = Running::start("crash", folder.path());
    running.wait_for("shop.localhost", "/", "up");
    assert_eq!(std::fs::read_to_string(counter).unwrap().lines().count(), 3);
    assert!(running.said().contains("shop | error: DATABASE_URL is not set"), "{}", running.said());
}

#[test]
fn variables_probes_and_standard_input() {
    let config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: flavours}\ndata: {flavour: mint}\n---\n\
                  apiVersion: v1\nkind: Secret\nmetadata: {name: words}\ndata: {word: aHVzaA==}\n---\n";
    let env = "env: [{name: FLAVOUR, valueFrom: {configMapKeyRef: {name: flavours, key: flavour}}}, \
               {name: WORD, valueFrom: {secretKeyRef: {name: words, key: word}}}]";
    let command = "command: [synkronic, echo, --version, \"$(FLAVOUR)-$(WORD)-$(SYNKRONIC_VERSION)\"]";
    let exec = "readinessProbe: {exec: {command: [sh, -c, 'test -n \"$WORD\"']}}";
    let never = "readinessProbe: {httpGet: {path: /status/500, port: 8080}, periodSeconds: 1}";
    let text = config.to_owned()
        + &deployment("shop", "", &format!("{env}, {command}, {exec}"))
        + &deployment("never", "", &format!("command: [synkronic, echo], {never}"))
        + &version("shop-v1", "")
        + &version("never-v1", "");
    let running = Running::start_with("input", &["-"], Some(&text));
    running.wait_for("v1.shop.localhost", "/", "mint-hush-v1");
    running.wait_for_words("! never-v1: its readiness probe /status/500 answers 500");
    assert_eq!(running.get("v1.never.localhost", "/").status, 503);
}

#[test]
fn only_the_chosen_logs_are_shown() {
    let folder = example();
    let arguments = [folder.path().to_str().unwrap(), "--logs", "version-2"];
    let running = Running::start_with("logs", &arguments, None);
    wait_for_all(&running);
    running.wait_for_words("version-2 | echo version-2 listens");
    assert!(!running.said().contains("version-1 | "), "{}", running.said());
}

#[test]
fn wrong_usage_is_one_clear_sentence() {
    let output = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_synkronic"));
        let output = command.arg("local").args(arguments).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).trim().to_owned())
    };
    let (code, said) = output(&["/nowhere/at/all"]);
    assert_eq!(code, Some(1));
    assert!(said.starts_with("synkronic: /nowhere/at/all: this cannot be read"), "{said}");
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().to_str().unwrap();
    let (code, said) = output(&[folder, "--run", "shop"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("shop='npm run dev'"), "{said}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, said) = output(&[folder, "--listen", &address]);
    assert_eq!(code, Some(1));
    assert!(said.contains(&format!("cannot listen on {address}")), "{said}");
}
