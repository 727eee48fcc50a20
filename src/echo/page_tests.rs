use super::*;

fn request(host: &str, prefix: Option<&str>) -> Request<()> {
    let mut builder = Request::builder().uri("/a?b={links}").header("host", host);
    if let Some(prefix) = prefix {
        builder = builder.header("x-forwarded-prefix", prefix);
    }
    builder.header("x-bad", "<b>\"{links}").body(()).unwrap()
}

fn href(host: &str, prefix: Option<&str>, own: &str, sibling: &str) -> String {
    Place::of(own, &request(host, prefix)).href_of(sibling)
}

#[test]
fn links_stay_on_the_way_the_reader_came() {
    let shop = "shop.localhost:8080";
    assert_eq!(href(shop, None, "base", "version-1"), "//version-1.shop.localhost:8080/");
    assert_eq!(href("version-2.shop.localhost:8080", None, "version-2", "base"), "//shop.localhost:8080/");
    // A rule sent the plain host to version-3: siblings are still its host's.
    assert_eq!(href(shop, None, "version-3", "version-1"), "//version-1.shop.localhost:8080/");
    assert_eq!(href("localhost:8080", Some("/version-2"), "version-2", "version-1"), "/version-1/");
    assert_eq!(href("localhost:8080", Some("/version-2"), "version-2", "base"), "/");
    assert_eq!(href("h", Some("/outer/version-2"), "version-2", "version-1"), "/outer/version-1/");
    // A prefix that is somebody else's is no version's.
    assert_eq!(href("h", Some("/outer"), "version-2", "version-1"), "//version-1.h/");
}

#[test]
fn what_the_request_says_is_text_on_the_page() {
    let voice = Voice { version: "version-2".to_owned(), links: vec!["base".to_owned()], ..Voice::default() };
    let page = page(&voice, &request("h\"><i>", None));
    assert!(page.contains("<h1>version-2</h1>"));
    assert!(!page.contains("<b>") && !page.contains("<i>") && page.matches("<script>").count() == 1);
    assert_eq!(page.matches("<nav>").count(), 1);
    assert_eq!(
        page.matches("<a ").count(),
        1,
        "a header that reads like a place in the template fills nothing"
    );
}

#[test]
fn neighbours_have_colours_of_their_own() {
    let hues: Vec<u32> = ["version-1", "version-2", "version-3"].iter().map(|name| hue(name)).collect();
    for (index, a) in hues.iter().enumerate() {
        for b in hues.iter().skip(index + 1) {
            let apart = a.abs_diff(*b).min(360 - a.abs_diff(*b));
            assert!(apart >= 40, "{hues:?}");
        }
    }
}
