//! Baggage merged.

use super::*;

fn merged(lines: &[&str]) -> String {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append("baggage", line.parse().unwrap());
    }
    let mut out = Vec::new();
    write(&mut out, "version-2", Some(&headers));
    String::from_utf8(out).unwrap()
}

#[test]
fn ours_and_theirs() {
    let mut alone = Vec::new();
    write(&mut alone, "version-2", None);
    assert_eq!(alone, b"synkronic-version=version-2");
    assert_eq!(merged(&["a=1;p=q, b=2", " c = 3 "]), "synkronic-version=version-2,a=1;p=q,b=2,c = 3");
}

#[test]
fn a_forged_or_older_member_of_ours_is_replaced() {
    assert_eq!(
        merged(&["a=1,synkronic-version=version-9", "Synkronic-Version = x;p, synkronic-versions=1,,"]),
        "synkronic-version=version-2,a=1,synkronic-versions=1"
    );
}

#[test]
fn what_no_receiver_must_take_is_left_out() {
    let many: Vec<String> = (0..100).map(|i| format!("k{i}=v")).collect();
    let out = merged(&[&many.join(",")]);
    assert_eq!(out.split(',').count(), 64);
    let long = format!("a={},b=2", "x".repeat(9000));
    assert_eq!(merged(&[&long]), "synkronic-version=version-2");
    let out = merged(&[&format!("a={},b=2", "x".repeat(8000)), &format!("c={}", "y".repeat(500))]);
    assert!(out.len() <= 8192 && out.ends_with(",b=2"));
}
