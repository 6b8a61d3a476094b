use super::*;

const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const DATE_S: u64 = 784_111_777;

#[test]
fn retry_after_in_seconds_and_as_a_date() {
    let minute_later = "Sun, 06 Nov 1994 08:50:37 GMT";
    let year_earlier = "Sat, 06 Nov 1993 08:49:37 GMT";
    let cases = [
        ("7", None, Some(7)),
        (" 7 ", None, Some(7)),
        ("0", None, Some(0)),
        ("99999999999999999999999", None, Some(u64::MAX)),
        (minute_later, None, Some(60)),
        (minute_later, Some(DATE), Some(60)),
        (minute_later, Some(minute_later), Some(0)),
        (minute_later, Some("not a date"), Some(60)),
        (year_earlier, None, Some(0)),
        ("Sunday, 06-Nov-94 08:50:37 GMT", None, Some(60)),
        ("", None, None),
        ("-5", None, None),
        ("+5", None, None),
        ("1.5", None, None),
        ("soon", None, None),
        ("Sun, 06 Nov 1994", None, None),
    ];
    for (value, date, expected) in cases {
        assert_eq!(parse_retry_after(value, date, DATE_S), expected, "{value:?} with {date:?}");
    }
}

#[test]
fn no_debug_output_shows_the_token() {
    let token = Secret::new("tok-very-secret").unwrap();
    let header = bearer(&token).unwrap();
    assert_eq!(header.to_str().unwrap(), "Bearer tok-very-secret");
    let client = Client::new().unwrap();
    let request = HttpRequest {
        method: Method::Get,
        base: "http://platform".into(),
        path: "/x".into(),
        headers: Vec::new(),
        body: Vec::new(),
        body_bytes_max: 10,
    };
    let prepared = client.prepare(request, Some(token.clone()));
    for shown in [format!("{header:?}"), format!("{prepared:?}"), format!("{token:?}")] {
        assert!(!shown.contains("very-secret"), "{shown}");
    }
}
