use super::*;

fn picture() -> Picture {
    let row = |version: &str, light, status: &str, who: &str| Row {
        version: version.to_owned(),
        light,
        status: status.to_owned(),
        link: format!("http://{version}.shop.localhost:8080/"),
        who: who.to_owned(),
    };
    let rows = vec![
        row("base", Light::Green, "Ready", "everyone else"),
        row("version-1", Light::Red, "CrashLooping", "who opens the link"),
    ];
    Picture {
        groups: vec![Group { base: "shop".to_owned(), rows }],
        by_path: Some("http://localhost:8080/version-1/".to_owned()),
        missing: None,
        notes: vec!["version-1: web exited 1: \"\x1b[2Jno\"".to_owned()],
    }
}

#[test]
fn the_table_reads_in_columns() {
    let plain = Style { colours: false, width: 0, height: 0 };
    let text = lines("at http://127.0.0.1:8080", &picture(), plain).join("\n");
    let expected = "\
at http://127.0.0.1:8080

  shop       STATUS        LINK                                   WHO GETS IT
  base       Ready         http://base.shop.localhost:8080/       everyone else
  version-1  CrashLooping  http://version-1.shop.localhost:8080/  who opens the link

  where *.localhost leads nowhere (Safari, some curl): http://localhost:8080/version-1/

  ! version-1: web exited 1: \" [2Jno\"";
    assert_eq!(text, expected);
}

#[test]
fn a_terminal_is_neither_wrapped_nor_scrolled() {
    let small = Style { colours: true, width: 20, height: 6 };
    let lines = lines("h", &picture(), small);
    assert!(lines.len() < 6, "{lines:?}");
    assert!(lines.last().is_some_and(|line| line.contains("more")), "{lines:?}");
    for line in &lines {
        let bare = line
            .replace("\x1b[1m", "")
            .replace("\x1b[0m", "")
            .replace("\x1b[32m", "")
            .replace("\x1b[31m", "");
        assert!(bare.chars().count() <= 20, "{bare:?}");
    }
}

#[test]
fn the_way_out_is_folded_and_only_rows_are_cut() {
    let way_out = "version-1: its container has no `command`; say how it runs here: --run shop='npm run dev'";
    let picture = Picture { notes: vec![way_out.to_owned()], ..picture() };
    let style = Style { colours: false, width: 40, height: 24 };
    let lines = lines("synkronic serves at http://127.0.0.1:8080; Ctrl-C ends it", &picture, style);
    assert!(lines.iter().all(|line| line.chars().count() <= 40), "{lines:?}");
    let text = lines.join("\n").replace("\n    ", " ").replace("\n  Ctrl", " Ctrl");
    assert!(text.contains(way_out) && text.contains("; Ctrl-C ends it"), "{text}");
    assert!(lines.iter().any(|line| line.ends_with('…')), "{lines:?}");
    // In a low window it stays, and rows go.
    let groups =
        vec![Group { rows: vec![picture.groups[0].rows[0].clone(); 30], ..picture.groups[0].clone() }];
    let lines = super::lines("h", &Picture { groups, ..picture }, style);
    assert_eq!(lines.len(), 22);
    assert!(lines.join("\n").contains("more lines") && lines.last().unwrap().ends_with("dev'"), "{lines:?}");
}

#[test]
fn the_status_has_its_colour() {
    let style = Style { colours: true, width: 0, height: 0 };
    let lines = lines("h", &picture(), style);
    assert!(lines.iter().any(|line| line.contains("\x1b[32mReady\x1b[0m  ")), "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("\x1b[31mCrashLooping\x1b[0m  ")), "{lines:?}");
}

#[test]
fn a_process_may_colour_its_lines_and_no_more() {
    for (line, shown) in [
        ("plain\ttext", "plain\ttext"),
        ("\x1b[32mok\x1b[0m", "\x1b[32mok\x1b[0m"),
        ("\x1b[2J\x1b[Hcleared", "cleared"),
        ("\x1b[1;1Hup\x1b[K", "up"),
        ("\x1b]0;title\x07here", "here"),
        ("\x1bcreset", "reset"),
        ("half\x1b[", "half"),
        ("half\x1b", "half"),
        ("a\rb\x08c\u{9b}2J", "abc2J"),
    ] {
        assert_eq!(tame(line), shown, "{line:?}");
    }
}

#[test]
fn elsewhere_only_what_changed_is_printed() {
    let before = picture();
    let mut now = picture();
    now.groups[0].rows[1].status = "Ready".to_owned();
    now.groups[0].rows.push(Row { version: "version-2".to_owned(), ..before.groups[0].rows[1].clone() });
    now.groups[0].rows.remove(0);
    now.notes = vec!["no Router\nspec:\n  base: shop".to_owned()];
    let expected = [
        "~ shop version-1  Ready  http://version-1.shop.localhost:8080/  who opens the link",
        "+ shop version-2  CrashLooping  http://version-1.shop.localhost:8080/  who opens the link",
        "- shop base",
        "  ! no Router",
        "    spec:",
        "      base: shop",
        "- ! version-1: web exited 1: \" [2Jno\"",
    ];
    assert_eq!(changes(&before, &now), expected);
    assert_eq!(changes(&now, &now), Vec::<String>::new());
}
