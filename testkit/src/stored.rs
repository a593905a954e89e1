//! What is stored of an object, past the API server.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kube::Resource;
use serde_json::{Value, json};

use crate::{World, control_plane};

/// How often it is tried, when somebody else changes the object at the same time.
const TRIES: usize = 20;

impl World {
    /// Changes what is stored of a custom resource of the test's namespace, as a newer schema, or none, would have
    /// let it be. Nothing checks it, and its generation goes up.
    pub fn change_stored<K: Resource<DynamicType = ()>>(&self, name: &str, change: impl Fn(&mut Value)) {
        let key = format!("/registry/{}/{}/{}/{name}", K::group(&()), K::plural(&()), self.namespace);
        change_stored(&key, change).unwrap_or_else(|error| panic!("{key} can't be changed: {error}"));
    }
}

fn change_stored(key: &str, change: impl Fn(&mut Value)) -> io::Result<()> {
    let key = STANDARD.encode(key);
    for _ in 0..TRIES {
        let range = etcd("range", &json!({ "key": key }))?;
        let found = &range["kvs"][0];
        let stored = STANDARD.decode(found["value"].as_str().unwrap_or_default());
        let mut object = serde_json::from_slice::<Value>(&stored.map_err(io::Error::other)?)?;
        let generation = object["metadata"]["generation"].as_i64().unwrap_or(0);
        object["metadata"]["generation"] = (generation + 1).into();
        change(&mut object);
        let unchanged =
            json!({ "key": key, "target": "MOD", "result": "EQUAL", "modRevision": found["mod_revision"] });
        let put = json!({ "requestPut": { "key": key, "value": STANDARD.encode(object.to_string()) } });
        let written = etcd("txn", &json!({ "compare": [unchanged], "success": [put] }))?;
        if written["succeeded"] == true {
            return Ok(());
        }
    }
    Err(io::Error::other("somebody else keeps changing it"))
}

/// A call of etcd's gateway.
fn etcd(call: &str, body: &Value) -> io::Result<Value> {
    // The path of a socket may have a hundred characters only.
    let directory = tempfile::tempdir()?;
    let short = directory.path().join("d");
    std::os::unix::fs::symlink(&control_plane().info().state_dir, &short)?;
    let mut stream = UnixStream::connect(short.join("etcd.sock"))?;
    let body = body.to_string();
    let length = body.len();
    write!(
        stream,
        "POST /v3/kv/{call} HTTP/1.0\r\nHost: etcd\r\nContent-Type: application/json\r\nContent-Length: \
         {length}\r\n\r\n{body}"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    if !head.contains(" 200 ") {
        return Err(io::Error::other(answer));
    }
    Ok(serde_json::from_str(body)?)
}
