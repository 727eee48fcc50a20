use std::fs;
use std::io::Write;

use super::*;

/// The end of a path, as it is spoken of here.
fn short(path: &str) -> &'static str {
    let known = ["a.yaml", "b.yaml", "c.yaml", "deep", "m"];
    known.iter().find(|end| path.ends_with(&format!("/{end}"))).unwrap_or(&"the folder")
}

fn told(look: &Look) -> (Vec<&str>, Vec<&str>) {
    let read = look.read.iter().map(|(path, _)| short(path)).collect();
    (read, look.gone.iter().map(|path| short(path)).collect())
}

/// Looks until something is told of.
async fn next(watch: &mut Watch) -> Look {
    loop {
        tokio::time::timeout(Duration::from_secs(20), watch.changed()).await.expect("a change is told");
        let look = watch.look();
        if !look.read.is_empty() || !look.gone.is_empty() {
            return look;
        }
    }
}

/// Looks until this has been told, in whatever portions.
async fn until_told(watch: &mut Watch, read: &[&str], gone: &[&str]) {
    let (mut all_read, mut all_gone) = (BTreeSet::new(), BTreeSet::new());
    while !(read.iter().all(|it| all_read.contains(*it)) && gone.iter().all(|it| all_gone.contains(*it))) {
        let look = next(watch).await;
        all_read.extend(look.read.iter().map(|(path, _)| short(path)));
        all_gone.extend(look.gone.iter().map(|path| short(path)));
    }
}

/// Nothing is told of for some time.
async fn assert_quiet(watch: &mut Watch) {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(300) {
        let _ = tokio::time::timeout(Duration::from_millis(100), watch.changed()).await;
        let look = watch.look();
        assert_eq!(told(&look), (vec![], vec![]));
    }
}

/// A folder `m` with `a.yaml` and `b.yaml` in it, looked at once.
fn begun() -> (tempfile::TempDir, PathBuf, Watch) {
    let folder = tempfile::tempdir().unwrap();
    let m = folder.path().join("m");
    fs::create_dir(&m).unwrap();
    fs::write(m.join("a.yaml"), "a: b").unwrap();
    fs::write(m.join("b.yaml"), "a: b").unwrap();
    let mut watch = Watch::new(vec![m.clone()]).unwrap();
    assert_eq!(told(&watch.look()), (vec!["a.yaml", "b.yaml"], vec![]));
    (folder, m, watch)
}

#[tokio::test]
async fn folders_come_and_go() {
    let folder = tempfile::tempdir().unwrap();
    let mut watch = Watch::new(vec![folder.path().to_owned()]).unwrap();
    let first = watch.look();
    assert_eq!(told(&first), (vec!["the folder"], vec![]), "an empty folder is named");
    assert!(first.read[0].1.errors[0].to_string().contains("no .yaml"));
    let deep = folder.path().join("deep");
    for _ in 0..2 {
        fs::create_dir(&deep).unwrap();
        fs::write(deep.join("a.yaml"), "").unwrap();
        assert_eq!(told(&next(&mut watch).await), (vec!["a.yaml"], vec!["the folder"]));
        fs::write(deep.join("b.yaml"), "").unwrap();
        assert_eq!(told(&next(&mut watch).await), (vec!["b.yaml"], vec![]));
        fs::remove_file(deep.join("b.yaml")).unwrap();
        assert_eq!(told(&next(&mut watch).await), (vec![], vec!["b.yaml"]));
        fs::remove_dir_all(&deep).unwrap();
        assert_eq!(told(&next(&mut watch).await), (vec!["the folder"], vec!["a.yaml"]));
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_file_is_read_once_its_writer_closes_it() {
    let (_folder, m, mut watch) = begun();
    let mut file = fs::File::create(m.join("a.yaml")).unwrap();
    assert_quiet(&mut watch).await;
    file.write_all(b"kind: [").unwrap();
    assert_quiet(&mut watch).await;
    // Others are read all the while.
    fs::write(m.join("b.yaml"), "{").unwrap();
    assert_eq!(told(&next(&mut watch).await), (vec!["b.yaml"], vec![]));
    drop(file);
    assert_eq!(told(&next(&mut watch).await), (vec!["a.yaml"], vec![]));
    // One that was taken away and is made anew, slowly.
    fs::remove_file(m.join("a.yaml")).unwrap();
    let file = fs::File::create(m.join("a.yaml")).unwrap();
    assert_quiet(&mut watch).await;
    drop(file);
    assert_eq!(told(&next(&mut watch).await), (vec!["a.yaml"], vec![]));
}

#[tokio::test]
async fn who_asks_again_and_again_waits_no_longer() {
    let (_folder, m, mut watch) = begun();
    fs::write(m.join("a.yaml"), "{").unwrap();
    let mut asked = 0;
    while tokio::time::timeout(Duration::from_millis(1), watch.changed()).await.is_err() {
        asked += 1;
        assert!(asked < 1000, "the look is never due");
    }
    until_told(&mut watch, &["a.yaml"], &[]).await;
}

#[test]
fn a_file_that_stays_open_is_read_but_an_empty_one() {
    let stamp = |length| Stamp { length, others: (1, length as i64, 0, 0, 0) };
    let long = Some(OPEN_LIMIT);
    assert_eq!(Turn::of(Some(stamp(9)), stamp(3), Some(OPEN_LIMIT / 2)), Turn::Wait);
    assert_eq!(Turn::of(Some(stamp(9)), stamp(3), long), Turn::Read);
    assert_eq!(Turn::of(Some(stamp(9)), stamp(9), long), Turn::Leave);
    assert_eq!(Turn::of(Some(stamp(9)), stamp(0), long), Turn::WaitAloud);
    assert_eq!(Turn::of(Some(stamp(9)), stamp(0), None), Turn::Read);
    assert_eq!(Turn::of(None, stamp(0), None), Turn::Read);
}

#[tokio::test]
async fn a_folder_that_is_away_keeps_what_was_in_it_and_is_watched_again() {
    let (folder, m, mut watch) = begun();
    for _ in 0..2 {
        fs::rename(&m, folder.path().join("old")).unwrap();
        let look = next(&mut watch).await;
        assert_eq!(told(&look), (vec!["m"], vec![]), "it is named, and nothing has gone");
        assert!(look.read[0].1.errors[0].to_string().contains("cannot be read"));
        fs::create_dir(folder.path().join("new")).unwrap();
        fs::write(folder.path().join("new/a.yaml"), "").unwrap();
        fs::rename(folder.path().join("new"), &m).unwrap();
        until_told(&mut watch, &["a.yaml"], &["m"]).await;
        fs::write(m.join("b.yaml"), "").unwrap();
        until_told(&mut watch, &["b.yaml"], &[]).await;
        fs::remove_dir_all(folder.path().join("old")).unwrap();
    }
    // Deleted file by file, as `rm -r` and `git checkout` do it; they may be slower than a look.
    fs::remove_file(m.join("a.yaml")).unwrap();
    tokio::time::sleep(DOUBT / 4).await;
    assert_eq!(told(&watch.look()), (vec![], vec![]), "it may be only away");
    fs::remove_dir_all(&m).unwrap();
    assert_eq!(told(&next(&mut watch).await), (vec!["m"], vec![]), "nothing has gone");
    assert_quiet(&mut watch).await;
    fs::create_dir(&m).unwrap();
    fs::write(m.join("c.yaml"), "").unwrap();
    until_told(&mut watch, &["c.yaml"], &["m"]).await;
    fs::write(m.join("a.yaml"), "{").unwrap();
    until_told(&mut watch, &["a.yaml"], &[]).await;
}

#[tokio::test]
async fn a_folder_made_anew_between_two_looks_is_watched() {
    let (_folder, m, mut watch) = begun();
    let deep = m.join("deep");
    for _ in 0..5 {
        fs::create_dir(&deep).unwrap();
        fs::write(deep.join("c.yaml"), "").unwrap();
        assert_eq!(told(&next(&mut watch).await), (vec!["c.yaml"], vec![]));
        // The new one gets the old one's inode.
        fs::remove_dir_all(&deep).unwrap();
        fs::create_dir(&deep).unwrap();
        until_told(&mut watch, &[], &["c.yaml"]).await;
        fs::write(deep.join("c.yaml"), "").unwrap();
        assert_eq!(told(&next(&mut watch).await), (vec!["c.yaml"], vec![]));
        fs::remove_dir_all(&deep).unwrap();
        assert_eq!(told(&next(&mut watch).await), (vec![], vec!["c.yaml"]));
    }
}

#[tokio::test]
async fn a_given_file_that_is_away_has_gone_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let files = ["a.yaml", "b.yaml"].map(|name| folder.path().join(name));
    files.iter().for_each(|file| fs::write(file, "").unwrap());
    let m = folder.path().join("m");
    fs::create_dir(&m).unwrap();
    fs::write(m.join("c.yaml"), "").unwrap();
    let mut watch = Watch::new(files.iter().cloned().chain([m.clone()]).collect()).unwrap();
    watch.look();
    fs::remove_file(&files[0]).unwrap();
    let look = next(&mut watch).await;
    assert_eq!(told(&look), (vec!["a.yaml"], vec!["a.yaml"]));
    assert!(look.read[0].1.errors[0].to_string().contains("cannot be read"));
    // What else is deleted is told of all the same.
    fs::remove_file(m.join("c.yaml")).unwrap();
    until_told(&mut watch, &["m"], &["c.yaml"]).await;
    fs::write(&files[0], "{").unwrap();
    until_told(&mut watch, &["a.yaml"], &[]).await;
    // A neighbour that nobody gave matters to nobody.
    fs::write(folder.path().join("c.yaml"), "").unwrap();
    assert_quiet(&mut watch).await;
}

#[tokio::test]
async fn what_a_link_leads_to_is_watched() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let target = elsewhere.path().join("target.txt");
    fs::write(&target, "").unwrap();
    std::os::unix::fs::symlink(&target, folder.path().join("a.yaml")).unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), folder.path().join("deep")).unwrap();
    fs::write(elsewhere.path().join("b.yaml"), "").unwrap();
    let given = tempfile::tempdir().unwrap();
    let link = given.path().join("c.yaml");
    std::os::unix::fs::symlink(&target, &link).unwrap();
    let mut watch = Watch::new(vec![folder.path().to_owned(), link]).unwrap();
    watch.look();
    fs::write(&target, "{").unwrap();
    until_told(&mut watch, &["a.yaml", "c.yaml"], &[]).await;
    fs::write(elsewhere.path().join("b.yaml"), "{").unwrap();
    until_told(&mut watch, &["b.yaml"], &[]).await;
}

#[tokio::test]
async fn a_folder_that_cannot_be_listed_takes_nothing_with_it() {
    use std::os::unix::fs::PermissionsExt;
    // Nothing is unreadable for root.
    if rustix::process::geteuid().is_root() {
        return;
    }
    let (_folder, m, mut watch) = begun();
    let deep = m.join("deep");
    fs::create_dir(&deep).unwrap();
    fs::write(deep.join("c.yaml"), "").unwrap();
    until_told(&mut watch, &["c.yaml"], &[]).await;
    fs::set_permissions(&deep, fs::Permissions::from_mode(0o000)).unwrap();
    fs::write(m.join("a.yaml"), "{").unwrap();
    until_told(&mut watch, &["deep", "a.yaml"], &[]).await;
    fs::set_permissions(&deep, fs::Permissions::from_mode(0o700)).unwrap();
    until_told(&mut watch, &[], &["deep"]).await;
}
