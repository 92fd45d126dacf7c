//! A server that is no Hub and no CDN of the tests.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use axum::response::Response;

/// The path of a request, and its credential.
pub(crate) type SeenRequest = (String, Option<String>);

/// A server that answers as it is told to, and remembers the path and the credential of every request.
pub(crate) struct Stranger {
    pub(crate) endpoint: String,
    asked: Arc<Mutex<Vec<SeenRequest>>>,
}

impl Stranger {
    pub(crate) async fn start(answer: impl Fn(&str) -> Response + Clone + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let router = Router::new().fallback(move |request: Request| {
            let path = request.uri().to_string();
            let credential =
                request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
            let response = answer(&path);
            log.lock().unwrap().push((path, credential));
            async { response }
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { endpoint, asked }
    }

    pub(crate) fn asked(&self) -> Vec<SeenRequest> {
        self.asked.lock().unwrap().clone()
    }
}
