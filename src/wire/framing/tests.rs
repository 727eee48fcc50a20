//! Framing by table. The numbers are lines of the list of hostile inputs.

use super::*;

fn fields<'a>(lines: &[(&str, &'a str)]) -> Fields<'a> {
    let mut fields = Fields::default();
    for (name, value) in lines {
        match *name {
            "te" => fields.transfer_encoding(value.as_bytes()),
            "cl" => fields.content_length(value.as_bytes()),
            other => panic!("{other}"),
        }
    }
    fields
}

fn of_request(lines: &[(&str, &str)]) -> Result<RequestBody, Refusal> {
    fields(lines).of_request(Version::HTTP_11)
}

fn of_response(lines: &[(&str, &str)]) -> Result<ResponseBody, Conflict> {
    fields(lines).of_response(false, StatusCode::OK, Version::HTTP_11)
}

#[test]
fn requests_with_one_framing() {
    assert_eq!(of_request(&[]), Ok(RequestBody::None));
    assert_eq!(of_request(&[("cl", "0")]), Ok(RequestBody::Length(0)));
    assert_eq!(of_request(&[("cl", "0001")]), Ok(RequestBody::Length(1)), "line 5: sent on as 1");
    assert_eq!(of_request(&[("cl", "18446744073709551615")]), Ok(RequestBody::Length(u64::MAX)));
    assert_eq!(of_request(&[("te", "chunked")]), Ok(RequestBody::Chunked));
    assert_eq!(of_request(&[("te", "Chunked")]), Ok(RequestBody::Chunked));
    assert!(RequestBody::None.is_empty() && RequestBody::Length(0).is_empty());
    assert!(!RequestBody::Length(1).is_empty() && !RequestBody::Chunked.is_empty());
}

#[test]
fn lines_1_to_8_requests_with_another() {
    assert_eq!(of_request(&[("cl", "1"), ("te", "chunked")]), Err(Refusal::FramingConflict));
    assert_eq!(of_request(&[("te", "chunked"), ("cl", "+x")]), Err(Refusal::FramingConflict));
    assert_eq!(of_request(&[("cl", "1"), ("cl", "1")]), Err(Refusal::ContentLength));
    assert_eq!(of_request(&[("cl", "1"), ("cl", "2")]), Err(Refusal::ContentLength));
    for bad in ["1, 1", "+1", "-1", "0x1", "1_0", "", "18446744073709551616", "1 ", "１"] {
        assert_eq!(of_request(&[("cl", bad)]), Err(Refusal::ContentLength), "{bad:?}");
    }
    let codings = [
        "gzip, chunked",
        "chunked, chunked",
        ",chunked",
        "chunked,",
        "xchunked",
        "identity",
        "chunked;a=b",
        "gzip",
        "",
        "\u{b}chunked",
        "\u{a0}chunked",
    ];
    for bad in codings {
        assert_eq!(of_request(&[("te", bad)]), Err(Refusal::TransferEncoding), "{bad:?}");
    }
    let twice = [("te", "chunked"), ("te", "chunked")];
    assert_eq!(of_request(&twice), Err(Refusal::TransferEncoding));
    let old = fields(&[("te", "chunked")]).of_request(Version::HTTP_10);
    assert_eq!(old, Err(Refusal::TransferEncoding));
}

#[test]
fn line_76_responses() {
    assert_eq!(of_response(&[]), Ok(ResponseBody::UntilClose));
    assert_eq!(of_response(&[("cl", "5")]), Ok(ResponseBody::Length(5)));
    assert_eq!(of_response(&[("cl", "5"), ("cl", "5")]), Ok(ResponseBody::Length(5)));
    assert_eq!(of_response(&[("te", "chunked")]), Ok(ResponseBody::Chunked));
    assert_eq!(of_response(&[("cl", "5"), ("cl", "6")]), Err(Conflict::ContentLength));
    assert_eq!(of_response(&[("cl", "5"), ("cl", "6"), ("cl", "6")]), Err(Conflict::ContentLength));
    assert_eq!(of_response(&[("cl", "x"), ("cl", "6")]), Err(Conflict::ContentLength));
    assert_eq!(of_response(&[("cl", "5, 5")]), Err(Conflict::ContentLength));
    assert_eq!(of_response(&[("cl", "5"), ("te", "chunked")]), Err(Conflict::Both));
    assert_eq!(of_response(&[("te", "gzip, chunked")]), Err(Conflict::TransferEncoding));
    let old = fields(&[("te", "chunked")]).of_response(false, StatusCode::OK, Version::HTTP_10);
    assert_eq!(old, Err(Conflict::TransferEncoding));
}

#[test]
fn responses_without_body_whatever_they_say() {
    let five = [("cl", "5")];
    for (head, status) in [(true, 200), (true, 404), (false, 204), (false, 304), (true, 304)] {
        let status = StatusCode::from_u16(status).unwrap();
        for lines in [&five[..], &[("te", "chunked")], &[]] {
            let body = fields(lines).of_response(head, status, Version::HTTP_11);
            assert_eq!(body, Ok(ResponseBody::None), "{head} {status} {lines:?}");
        }
    }
}
