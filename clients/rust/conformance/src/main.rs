//! Runs the cases of the conformance script: a command on each line of stdin, a result on each of
//! stdout.

use admin_gateway::admin::*;
use admin_gateway::prost::Message;
use admin_gateway::tonic::{Request, metadata::AsciiMetadataKey, metadata::MetadataMap};
use admin_gateway::{Error, FILE_DESCRIPTOR_SET, Freshness, Gateway, NoIdempotencyKey, Token, TryStreamExt};
use admin_gateway::{inventory, lease, lease::lease_service_client::LeaseServiceClient};
use audit_log_service_client::AuditLogServiceClient;
use cost_service_client::CostServiceClient;
use group_service_client::GroupServiceClient;
use invite_service_client::InviteServiceClient;
use project_service_account_service_client::ProjectServiceAccountServiceClient;
use project_service_client::ProjectServiceClient;
use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor};
use serde_json::{Value, json};
use std::sync::{Arc, LazyLock, Mutex, atomic::AtomicUsize, atomic::Ordering::Relaxed};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader, stdin};
use user_service_client::UserServiceClient;

static POOL: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(FILE_DESCRIPTOR_SET).expect("the crate's descriptors"));

/// The result of a case, which adds to it as it goes.
type Seen = Arc<Mutex<Value>>;

#[tokio::main]
async fn main() {
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await.expect("stdin") {
        let command: Value = serde_json::from_str(&line).expect("a command is JSON");
        let cancel = command["cancel"] == true;
        let seen: Seen = Arc::new(Mutex::new(json!({"case": command["case"], "ok": true})));
        let call = tokio::spawn(run(command, Arc::clone(&seen)));
        if cancel {
            lines.next_line().await.expect("stdin");
            call.abort(); // This drops the future of the call.
        }
        let failed = match call.await {
            Ok(outcome) => outcome.err().map(|error| describe(&error)),
            Err(join) if join.is_cancelled() => Some(json!({"kind": "Canceled", "code": "CANCELLED"})),
            Err(join) => std::panic::resume_unwind(join.into_panic()),
        };
        let mut result = seen.lock().unwrap().clone();
        if let Some(error) = failed {
            (result["ok"], result["error"]) = (false.into(), error);
        }
        println!("{result}");
    }
}

/// Calls a method with the client and the type of its request.
macro_rules! call {
    ($case:expr, $($client:ident . $call:ident ($request:ty)),+ $(,)?) => {
        match $case.method.as_ref().expect("the schema has the method").input().full_name() {
            $(name if name.ends_with(concat!(".", stringify!($request))) => {
                let request: Request<$request> = $case.request();
                let answer = $client::new($case.gateway.service()).$call(request).await?;
                $case.see("freshness", freshness(answer.metadata()));
                $case.see("response", $case.answer(&answer.into_inner()));
            })+
            name => panic!("no call with {name}"),
        }
    };
}

/// Walks a list.
macro_rules! list {
    ($case:expr, $($request:ident => $id:expr),+ $(,)?) => {
        match $case.method.as_ref().expect("the schema has the method").input().name() {
            $(stringify!($request) => {
                let (metadata, _, request) = $case.request::<$request>().into_parts();
                let mut list = $case.gateway.list(request).metadata(metadata);
                if let Some(timeout) = $case.timeout() {
                    list = list.timeout(timeout);
                }
                let items = list.collect().await?;
                $case.see("items", items.len().into());
                $case.see("ids", items.into_iter().map($id).collect());
            })+
            name => panic!("no list with {name}"),
        }
    };
}

/// Streams an inventory.
macro_rules! inventory {
    ($case:expr, $($request:ident),+ $(,)?) => {
        match $case.method.as_ref().expect("the schema has the method").input().name() {
            $(stringify!($request) => {
                let (metadata, _, request) = $case.request::<inventory::$request>().into_parts();
                let (progress, failures) = ($case.seen.clone(), $case.seen.clone());
                let mut inventory = $case.gateway.inventory(request).metadata(metadata);
                inventory = inventory.on_progress(move |_| count(&progress, "progress", 1));
                inventory = inventory.on_failure(move |_| count(&failures, "failures", 1));
                if let Some(timeout) = $case.timeout() {
                    inventory = inventory.deadline(timeout);
                }
                let mut pages = inventory.pages();
                while let Some(page) = pages.try_next().await? {
                    count(&$case.seen, "pages", 1);
                    count(&$case.seen, "items", page.items.len());
                }
            })+
            name => panic!("no inventory with {name}"),
        }
    };
}

async fn run(command: Value, seen: Seen) -> Result<(), Error> {
    let gateway = connect(&command["client"], &seen)?;
    let path = command["method"].as_str().unwrap_or_default();
    let method = path.split_once('/').and_then(|(service, method)| {
        POOL.get_service_by_name(service)?.methods().find(|found| found.name() == method)
    });
    let case = Case { gateway, method, command: command.clone(), seen };
    match command["do"].as_str() {
        Some("call") => call!(
            case,
            ProjectServiceClient.list_projects(ListProjectsRequest),
            ProjectServiceClient.get_project(GetProjectRequest),
            ProjectServiceClient.create_project(CreateProjectRequest),
            ProjectServiceClient.update_project(UpdateProjectRequest),
            UserServiceClient.list_users(ListUsersRequest),
            GroupServiceClient.list_groups(ListGroupsRequest),
            GroupServiceClient.create_group(CreateGroupRequest),
            GroupServiceClient.delete_group(DeleteGroupRequest),
            InviteServiceClient.list_invites(ListInvitesRequest),
            CostServiceClient.list_costs(ListCostsRequest),
            AuditLogServiceClient.list_audit_logs(ListAuditLogsRequest),
            ProjectServiceAccountServiceClient.list_project_service_accounts(ListProjectServiceAccountsRequest),
            ProjectServiceAccountServiceClient.create_project_service_account(CreateProjectServiceAccountRequest),
            ProjectServiceAccountServiceClient.delete_project_service_account(DeleteProjectServiceAccountRequest),
            LeaseServiceClient.create_lease(lease::CreateLeaseRequest),
            LeaseServiceClient.acknowledge_lease(lease::AcknowledgeLeaseRequest),
            LeaseServiceClient.renew_lease(lease::RenewLeaseRequest),
            LeaseServiceClient.revoke_lease(lease::RevokeLeaseRequest),
            LeaseServiceClient.get_lease(lease::GetLeaseRequest),
            LeaseServiceClient.list_leases(lease::ListLeasesRequest),
        ),
        Some("list") => list!(
            case,
            ListProjectsRequest => |item| item.id,
            ListUsersRequest => |item| item.id,
            ListGroupsRequest => |item| item.id,
            ListInvitesRequest => |item| item.id,
            ListAuditLogsRequest => |item| item.id,
            ListProjectServiceAccountsRequest => |item| item.id,
            ListCostsRequest => |_| "",
        ),
        Some("inventory") => inventory!(case, ListApiKeysRequest, ListProjectUsersRequest, ListUsersRequest),
        Some("lease") => return hold(&case).await,
        what => panic!("cannot do {what:?}"),
    }
    Ok(())
}

struct Case {
    gateway: Gateway,
    method: Option<MethodDescriptor>,
    command: Value,
    seen: Seen,
}

impl Case {
    fn see(&self, name: &str, value: Value) {
        self.seen.lock().unwrap()[name] = value;
    }

    fn timeout(&self) -> Option<Duration> {
        self.command["timeout"].as_f64().map(Duration::from_secs_f64)
    }

    /// The request of the command, with what is sent besides.
    fn request<T: Message + Default>(&self) -> Request<T> {
        let fields = self.command["request"].as_object().cloned().unwrap_or_default();
        let input = self.method.as_ref().expect("a method").input();
        let message = DynamicMessage::deserialize(input, Value::Object(fields)).expect("a request of the method");
        let mut request = Request::new(T::decode(&*message.encode_to_vec()).expect("a request of the method"));
        for (name, value) in self.command["headers"].as_object().into_iter().flatten() {
            let name: AsciiMetadataKey = name.parse().expect("a header's name");
            request.metadata_mut().insert(name, value.as_str().unwrap_or_default().parse().expect("a header's value"));
        }
        if let Some(key) = self.command["idempotency_key"].as_str() {
            request.metadata_mut().insert("idempotency-key", key.parse().expect("a header's value"));
        }
        if self.command["no_idempotency_key"] == true {
            request.extensions_mut().insert(NoIdempotencyKey);
        }
        if let Some(timeout) = self.timeout() {
            request.set_timeout(timeout);
        }
        request
    }

    fn answer(&self, answer: &impl Message) -> Value {
        let output = self.method.as_ref().expect("a method").output();
        let message = DynamicMessage::decode(output, &*answer.encode_to_vec()).expect("an answer of the method");
        serde_json::to_value(message).expect("JSON")
    }
}

fn connect(client: &Value, seen: &Seen) -> Result<Gateway, Error> {
    let text = |name: &str| client[name].as_str().map(String::from);
    let mut builder = Gateway::builder(text("address").unwrap_or_default());
    if let Some(tokens) = client["token_provider"].as_array().cloned() {
        let (calls, seen) = (AtomicUsize::new(0), Arc::clone(seen));
        builder = builder.token_provider(move || {
            count(&seen, "provider_calls", 1);
            let token = tokens.get(calls.fetch_add(1, Relaxed)).or(tokens.last()).and_then(Value::as_str);
            std::future::ready(token.map(Token::new).ok_or_else(|| "it has no token".into()))
        });
    }
    builder = text("token").into_iter().fold(builder, |builder, token| builder.token(token));
    builder = text("token_file").into_iter().fold(builder, |builder, path| builder.token_file(path));
    builder = text("ca").into_iter().fold(builder, |builder, path| builder.ca(path));
    builder = text("user_agent").into_iter().fold(builder, |builder, agent| builder.user_agent(agent));
    if let (Some(cert), Some(key)) = (text("cert"), text("key")) {
        builder = builder.client_certificate(cert, key);
    }
    if let Some(deadline) = client["deadline"].as_f64() {
        builder = builder.deadline(Duration::from_secs_f64(deadline));
    }
    if let Some(attempts) = client["attempts"].as_u64() {
        builder = builder.attempts(attempts.try_into().unwrap_or(u32::MAX));
    }
    builder.connect()
}

/// Takes a lease through its life. No key is in the result.
async fn hold(case: &Case) -> Result<(), Error> {
    let request = &case.command["request"];
    let mut builder = case.gateway.lease(request["role"].as_str().unwrap_or_default());
    if let Some(ttl) = request["ttl"].as_str().and_then(|ttl| ttl.strip_suffix('s')?.parse().ok()) {
        builder = builder.ttl(Duration::from_secs_f64(ttl));
    }
    if let Some(timeout) = case.timeout() {
        builder = builder.within(timeout);
    }
    let lease = builder.acquire().await?;
    let key = lease.key()?;
    lease.renew().await?;
    let renewed = lease.key()?.secret() == key.secret() && lease.key()?.lease().id == key.lease().id;
    let other = lease.rotate(None).await?;
    let rotated = other.secret() != key.secret() && other.secret() == lease.key()?.secret();
    let given = !key.secret().is_empty();
    lease.release().await?;
    let (id, released) = (&key.lease().id, true);
    let life =
        json!({"key_given": given, "renewed": renewed, "rotated": rotated, "released": released, "lease_id": id});
    case.see("response", life);
    Ok(())
}

fn count(seen: &Seen, name: &str, by: usize) {
    let mut seen = seen.lock().unwrap();
    seen[name] = (seen[name].as_u64().unwrap_or_default() + by as u64).into();
}

fn freshness(metadata: &MetadataMap) -> Value {
    let freshness = Freshness::of(metadata);
    json!({"age": freshness.age.map(|age| age.as_secs()), "hit": freshness.hit, "fwd": freshness.forwarded, "ttl": freshness.ttl})
}

fn describe(error: &Error) -> Value {
    let code = format!("{:?}", error.code);
    let code = code.char_indices().fold(String::new(), |code, (at, c)| match c {
        'A'..='Z' if at > 0 => format!("{code}_{c}"),
        _ => format!("{code}{}", c.to_ascii_uppercase()),
    });
    json!({
        "kind": format!("{:?}", error.kind), "code": code, "reason": error.reason, "message": error.message,
        "permission": error.permission.as_deref().unwrap_or_default(), "project": error.project.as_deref().unwrap_or_default(),
        "request_id": error.request_id.as_deref().unwrap_or_default(),
        "retry_delay": error.retry_delay.map(|delay| delay.as_secs_f64()),
        "fields": error.field_violations.iter().map(|violation| &*violation.field).collect::<Vec<_>>(),
        "missing": error.incomplete.as_ref().map(|left| left.failures.len() + left.more_failures),
    })
}
