//! Each kind of call and each fault: exactly as many requests as there may be, and the right error.

use serde_json::{Value, json};

use super::canned::{BASIC, Server, answer};
use crate::wandb::operations::Operation;

const READ: Operation = Operation {
    name: "Read",
    text: "query Read($x: Int) { x }",
    is_idempotent: true,
};

#[tokio::test]
async fn an_operation_is_asked_as_the_protocol_says() {
    let server = Server::in_turn(vec![answer(200, r#"{"data":{"x":7}}"#)]).await;
    let data: Value = server.client().execute(&READ, &json!({"x": 1})).await.unwrap();
    assert_eq!(data, json!({"x": 7}));
    let asked = server.asked();
    assert_eq!(asked[0].line, "POST /graphql");
    assert_eq!(asked[0].header("authorization"), Some(BASIC));
    assert_eq!(asked[0].header("content-type"), Some("application/json"));
    assert_eq!(
        asked[0].json(),
        json!({"query": READ.text, "variables": {"x": 1}, "operationName": "Read"})
    );
}
