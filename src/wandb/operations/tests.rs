//! Every document and everything that is sent with it, held against the schema.

mod schema;
