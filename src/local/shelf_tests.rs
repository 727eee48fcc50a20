use super::super::manifests::parse;
use super::*;

fn service(name: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\nspec: {{ports: [{{port: 80}}]}}\n---\n"
    )
}

struct Desk {
    shelf: Shelf,
    now: Instant,
}

impl Desk {
    fn new() -> Self {
        Self { shelf: Shelf::default(), now: Instant::now() }
    }

    fn save(&mut self, source: &str, text: &str) {
        self.shelf.put(source, parse(source, text.as_bytes()));
    }

    fn names(&mut self) -> Vec<String> {
        self.shelf.wanted(self.now).objects.iter().map(|placed| placed.id.1.name.to_string()).collect()
    }

    fn remarks(&mut self) -> Vec<String> {
        self.shelf.wanted(self.now).remarks.iter().map(ToString::to_string).collect()
    }
}

#[test]
fn a_half_saved_file_keeps_its_last_good_objects_and_is_named() {
    let mut desk = Desk::new();
    desk.save("a.yaml", &format!("{}{}", service("one"), service("two")));
    assert_eq!(desk.names(), ["one", "two"]);
    desk.save("a.yaml", "apiVersion: v1\nkind: Service\nmetadata:\n  name: [one");
    assert_eq!(desk.names(), ["one", "two"]);
    assert!(desk.remarks()[0].starts_with("a.yaml:4: "), "{:?}", desk.remarks());
    // However long it stays so.
    desk.now += Duration::from_secs(60);
    assert_eq!(desk.names(), ["one", "two"]);
    desk.save("a.yaml", &service("one"));
    assert_eq!(desk.remarks(), [""; 0]);
}

#[test]
fn at_the_first_look_what_can_be_read_is_taken() {
    let mut desk = Desk::new();
    desk.save("a.yaml", &format!("{}kind: [", service("one")));
    assert_eq!(desk.names(), ["one"]);
    assert_eq!(desk.remarks().len(), 1);
}

#[test]
fn a_file_that_is_only_away_for_a_moment_deletes_nothing() {
    let mut desk = Desk::new();
    desk.save("a.yaml", &service("one"));
    desk.save("b.yaml", &service("two"));
    assert_eq!(desk.names(), ["one", "two"]);
    // Renamed away, then there again: an editor's way of saving. Emptied, then written: another's.
    desk.shelf.forget("a.yaml");
    desk.save("b.yaml", "");
    let wanted = desk.shelf.wanted(desk.now);
    assert_eq!(wanted.objects.len(), 2);
    assert_eq!(wanted.again, Some(desk.now + PATIENCE));
    desk.now += PATIENCE / 2;
    desk.save("a.yaml", &service("one"));
    desk.save("b.yaml", &service("two"));
    assert_eq!(desk.shelf.wanted(desk.now).again, None);
    desk.now += PATIENCE;
    assert_eq!(desk.names(), ["one", "two"]);
    desk.shelf.forget("a.yaml");
    assert_eq!(desk.names(), ["one", "two"]);
    desk.now += PATIENCE;
    assert_eq!(desk.names(), ["two"]);
}

#[test]
fn an_object_in_two_files_is_named() {
    let mut desk = Desk::new();
    desk.save("a.yaml", &service("one"));
    desk.save("b.yaml", &service("one"));
    let remarks = desk.remarks();
    assert_eq!(
        remarks,
        ["b.yaml:4: Service default/one is also in a.yaml:4; this one is taken, remove one of them"]
    );
}

#[test]
fn an_object_with_a_flaw_is_named_for_as_long_as_it_has_it() {
    let mut desk = Desk::new();
    let router = |field: &str| {
        format!(
            "apiVersion: kyaninus.com/v1\nkind: Router\nmetadata: {{name: r}}\nspec: {{base: b, {field}: [a.b]}}\n"
        )
    };
    let base = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: b}\nspec: {replcas: 2}\n";
    desk.save("a.yaml", &router("host"));
    desk.save("b.yaml", base);
    for _ in 0..2 {
        let remarks = desk.remarks();
        assert_eq!(remarks.len(), 3, "{remarks:?}");
        assert!(
            remarks[0].starts_with("a.yaml:4: Router default/r: spec.host: there is no field `host`"),
            "{remarks:?}"
        );
        assert!(remarks[2].starts_with("b.yaml:4: Deployment default/b: spec.replcas: "), "{remarks:?}");
        let refused: Vec<bool> =
            desk.shelf.wanted(desk.now).objects.iter().map(|placed| placed.refused).collect();
        assert_eq!(refused, [false, true], "the base is taken as it is, the Router is not");
    }
    desk.save("a.yaml", &router("hosts"));
    assert_eq!(desk.remarks().len(), 1);
}

#[test]
fn what_is_no_object_here_is_named_where_it_was_meant_to_be_one() {
    let mut desk = Desk::new();
    for (text, remark) in [
        (
            "apiVersion: kyaninus.com/v1\nkind: DeploymentVersions\nmetadata: {name: a}\n",
            "DeploymentVersions a: kind: ",
        ),
        (
            "apiVersion: kyaninus.com\nkind: Router\nmetadata: {name: a}\n",
            "Router a: apiVersion: `kyaninus.com` names",
        ),
        (
            "apiVersion: v1\nkind: Deployment\nmetadata: {name: a}\n",
            "Deployment a: apiVersion: `v1` has no kind",
        ),
        (
            "apiVersion: apps/v1\nkind: Deployment\n",
            "Deployment ?: metadata.name: `metadata.name` is missing",
        ),
        ("apiVersion: v1\nkind: Service\nmetadata: {}\n", "Service default/: metadata.name: "),
    ] {
        desk.save("a.yaml", text);
        let remarks = desk.remarks();
        assert!(remarks.iter().any(|it| it.contains(remark)), "{remark}: {remarks:?}");
        assert_eq!(desk.names(), [""; 0]);
    }
    desk.save("a.yaml", "apiVersion: batch/v1\nkind: Job\n");
    assert_eq!(desk.remarks(), [""; 0]);
}
