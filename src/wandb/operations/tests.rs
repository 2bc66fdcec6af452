//! Every document and everything that is sent with it, held against the schema; every answer read from the twin.

mod answers;
mod schema;
