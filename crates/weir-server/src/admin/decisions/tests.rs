use super::*;
use weir_core::Endpoint;

fn check_query(text: &str, expect: Result<(Option<&str>, usize), &str>) {
    match (query(text), expect) {
        (Ok(query), Ok((route, limit))) => {
            assert_eq!((query.route.as_deref(), query.limit), (route, limit), "{text}");
        }
        (Err(fault), Err(part)) => {
            assert_eq!((fault.status, fault.code.as_deref()), (400, Some("invalid_query")), "{text}");
            assert!(fault.message.contains(part), "{text}: {}", fault.message);
        }
        (got, _) => panic!("{text}: {got:?}"),
    }
}

#[test]
fn queries_are_read_or_refused() {
    check_query("", Ok((None, Query::LIMIT)));
    check_query("route=class%3Acoding&limit=7", Ok((Some("class:coding"), 7)));
    check_query("&route=&", Ok((Some(""), Query::LIMIT)));
    check_query("limit=0", Err("from 1 to 500"));
    check_query("limit=501", Err("from 1 to 500"));
    check_query("rute=x", Err("did you mean route?"));
    for known in ["ok", "failed", "running", "client_gone", "server_error"] {
        check_query(&format!("outcome={known}"), Ok((None, Query::LIMIT)));
    }
    check_query("outcome=bogus", Err("no request ends in \"bogus\"; outcome is ok, failed, running,"));
    check_query("outcome=timeuot", Err("did you mean timeout?"));
}

fn check_question(body: &str, expect: Result<(&str, Endpoint), &str>) {
    match (question(&Bytes::from(body.to_owned())), expect) {
        (Ok(question), Ok((request, endpoint))) => {
            assert_eq!((&question.body[..], question.called.endpoint), (request.as_bytes(), endpoint));
        }
        (Err(fault), Err(part)) => {
            assert_eq!(fault.code.as_deref(), Some("invalid_explain_request"), "{body}");
            assert!(fault.message.contains(part), "{body}: {}", fault.message);
        }
        (got, _) => panic!("{body}: {got:?}"),
    }
}

#[test]
fn a_question_keeps_its_request_as_it_is_written() {
    check_question(r#"{"request": { "model":  "m" } }"#, Ok((r#"{ "model":  "m" }"#, Endpoint::Chat)));
    let path = r#"{"path": "/v1/embeddings", "request": {}, "headers": {"x-tier": "gold"}, "key": "alice"}"#;
    check_question(path, Ok(("{}", Endpoint::Embeddings)));
    check_question("{}", Err("\"request\" is missing"));
    check_question("[]", Err("the body is not"));
    check_question(r#"{"request": {}, "path": "/v1/models"}"#, Err("is none of /v1/chat/completions"));
    check_question(r#"{"request": {}, "header": {}}"#, Err("\"header\" is nothing to say here"));
    check_question(r#"{"request": {}, "headers": {"a b": "c"}}"#, Err("no header is called"));
    check_question(r#"{"request": {}, "headers": {"a": "\u0000"}}"#, Err("what none may hold"));
    check_question(r#"{"request": {}, "headers": ["a"]}"#, Err("no object of names and texts"));
    check_question(r#"{"request": {}, "key": 1}"#, Err("\"key\" is no text"));
}
