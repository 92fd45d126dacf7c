//! Rate limits.

use std::time::Duration;

use super::super::{Bucket, HubFault, When};
use super::{ask, header, hub};

#[tokio::test]
async fn requests_beyond_the_quota_are_refused_with_the_time_to_wait() {
    let (hub, _) = hub();
    hub.rate_limit(Bucket::Api, 2, Duration::from_secs(3600));
    for left in [1, 0] {
        let response = ask(&hub, "/api/models/acme/tiny").await;
        assert_eq!(response.status(), 200);
        assert!(header(&response, "ratelimit").starts_with(&format!("\"api\";r={left};t=")));
        assert_eq!(header(&response, "ratelimit-policy"), "\"fixed window\";\"api\";q=2;w=3600");
    }
    let refused = ask(&hub, "/api/models/acme/tiny").await;
    assert_eq!(refused.status(), 429);
    assert!(header(&refused, "ratelimit").starts_with("\"api\";r=0;t=3"));
    assert_eq!(ask(&hub, "/acme/tiny/resolve/main/config.json").await.status(), 307);
}

#[tokio::test]
async fn a_scripted_refusal_names_its_seconds() {
    let (hub, _) = hub();
    hub.fault(HubFault::RateLimited { seconds: 7 }, When::path("/resolve/").first(1));
    let refused = ask(&hub, "/acme/tiny/resolve/main/config.json").await;
    assert_eq!((refused.status().as_u16(), header(&refused, "ratelimit")), (429, "\"resolvers\";r=0;t=7"));
    assert_eq!(ask(&hub, "/acme/tiny/resolve/main/config.json").await.status(), 307);
}
