//! A tour of the gateway: lists, a write, an inventory, costs, and calls that do not succeed.

use admin_gateway::admin::{
    CreateProjectRequest, CreateProjectServiceAccountRequest, DeleteProjectServiceAccountRequest, ListCostsRequest,
    ListProjectsRequest, Project, project_service_account_service_client::ProjectServiceAccountServiceClient,
    project_service_client::ProjectServiceClient,
};
use admin_gateway::inventory::{ListApiKeysRequest, Progress};
use admin_gateway::{Error, ErrorKind, Gateway, TryStreamExt, prost_types::Timestamp, tonic::Request};
use std::io::{IsTerminal, Write, stdout};
use std::time::{Duration, Instant, SystemTime};
use std::{env, error};

#[tokio::main]
async fn main() -> Result<(), Box<dyn error::Error>> {
    let operator = gateway(&env::var("GATEWAY_TOKEN")?)?;
    let projects = list_projects(&operator).await?;
    let first = projects.first().ok_or("the organization has no project")?;
    service_account(&operator, &first.id).await?;
    inventory(&operator).await?;
    costs(&operator).await?;
    if let Ok(token) = env::var("AUDITOR_TOKEN") {
        refusal(&gateway(&token)?).await?;
    }
    deadline(&operator).await
}

fn gateway(token: &str) -> Result<Gateway, Box<dyn error::Error>> {
    let mut builder = Gateway::builder(env::var("GATEWAY")?).token(token).user_agent("example/1");
    if let Some(ca) = env::var("GATEWAY_CA").ok().filter(|ca| !ca.is_empty()) {
        builder = builder.ca(ca);
    }
    Ok(builder.connect()?)
}

/// Lists projects across all pages. The small page is for show.
async fn list_projects(gateway: &Gateway) -> Result<Vec<Project>, Error> {
    let request = ListProjectsRequest { limit: Some(10), ..Default::default() };
    let projects = gateway.list(request).collect().await?;
    println!("{} projects, such as", projects.len());
    for project in projects.iter().take(3) {
        println!("  {}  {}", project.id, project.name());
    }
    Ok(projects)
}

/// Creates a service account, and deletes it. A write that is sent twice is made once: it has a key.
async fn service_account(gateway: &Gateway, project: &str) -> Result<(), Error> {
    let mut accounts = ProjectServiceAccountServiceClient::new(gateway.service());
    let request = CreateProjectServiceAccountRequest {
        project_id: project.into(),
        name: "rust-example".into(),
        ..Default::default()
    };
    let account = accounts.create_project_service_account(request).await?.into_inner();
    println!("\ncreated {}, whose key is shown once", account.id);
    let request = DeleteProjectServiceAccountRequest { project_id: project.into(), service_account_id: account.id };
    let deleted = accounts.delete_project_service_account(request).await?.into_inner();
    println!("deleted {}", deleted.id);
    Ok(())
}

/// Streams all keys of all projects. A stream that is cut off goes on by itself.
async fn inventory(gateway: &Gateway) -> Result<(), Error> {
    println!("\nAPI keys");
    let begin = Instant::now();
    let mut pages = gateway.inventory(ListApiKeysRequest::default()).on_progress(show).pages();
    let (mut keys, mut projects) = (0, 0);
    while let Some(page) = pages.try_next().await? {
        projects += 1;
        keys += page.items.len();
    }
    clear();
    println!("  {keys} keys on {projects} pages in {:.1?}, complete", begin.elapsed());
    Ok(())
}

/// Draws a bar in a terminal, and prints a line elsewhere.
fn show(progress: &Progress) {
    let (done, known) = (progress.calls_done, progress.calls_known.max(1));
    let left = progress.time_left.and_then(|left| Duration::try_from(left).ok());
    let left = left.map_or(String::new(), |left| format!(", {}s left", left.as_secs()));
    if !stdout().is_terminal() {
        return println!("  {done} of {known} calls, {} keys{left}", progress.items);
    }
    let eighths = usize::try_from(done * 30 * 8 / known).unwrap_or(0).min(30 * 8);
    let part = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
    let bar = format!("{}{part}", "█".repeat(eighths / 8));
    print!("\r\x1b[K  \x1b[36m{bar:<30}\x1b[0m {:>3}%  {} keys{left}", done * 100 / known, progress.items);
    let _ = stdout().flush();
}

fn clear() {
    if stdout().is_terminal() {
        print!("\r\x1b[K");
    }
}

/// Prints a week of costs. Where the gateway is busy, it says for how long it is waited.
async fn costs(gateway: &Gateway) -> Result<(), Error> {
    const DAY: u64 = 24 * 3600;
    let today = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| now.as_secs() / DAY);
    let start = Timestamp { seconds: i64::try_from((today - 7) * DAY).unwrap_or(0), nanos: 0 };
    let end = Timestamp { seconds: i64::try_from(today * DAY).unwrap_or(0), nanos: 0 };
    let request = ListCostsRequest { start_time: Some(start), end_time: Some(end), ..Default::default() };
    let buckets = loop {
        match gateway.list(request.clone()).collect().await {
            Ok(buckets) => break buckets,
            Err(error) => wait(error).await?,
        }
    };
    let currency = buckets.iter().flat_map(|day| &day.results).find_map(|cost| cost.amount.as_ref()?.currency.clone());
    println!("\ncosts of a week, {}", currency.unwrap_or_default().to_uppercase());
    let sums: Vec<f64> = buckets
        .iter()
        .map(|day| day.results.iter().filter_map(|cost| cost.amount.as_ref()?.value().parse::<f64>().ok()).sum())
        .collect();
    let most = sums.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    for (day, sum) in buckets.iter().zip(&sums) {
        let date = day.start_time.map(|time| time.to_string()).unwrap_or_default();
        println!("  {}  {sum:>10.2}  {}", date.get(..10).unwrap_or(&date), "▇".repeat((sum / most * 30.0) as usize));
    }
    println!("  {:<10}  {:>10.2}", "total", sums.iter().sum::<f64>());
    Ok(())
}

/// Waits as long as the gateway asks to. The client has tried several times by itself.
async fn wait(error: Error) -> Result<(), Error> {
    let busy = matches!(error.kind, ErrorKind::ResourceExhausted | ErrorKind::Unavailable);
    let Some(delay) = error.retry_delay.filter(|delay| busy && *delay < Duration::from_secs(120)) else {
        return Err(error);
    };
    println!("  busy ({}): waiting {delay:.1?}", error.reason);
    tokio::time::sleep(delay).await;
    Ok(())
}

/// A caller without the permission hears which one it lacks.
async fn refusal(gateway: &Gateway) -> Result<(), Box<dyn error::Error>> {
    let mut projects = ProjectServiceClient::new(gateway.service());
    let request = CreateProjectRequest { name: "mine".into(), ..Default::default() };
    match projects.create_project(request).await.map_err(Error::from) {
        Err(error) if error.kind == ErrorKind::PermissionDenied => {
            println!("\nrefused: it takes the permission {}", error.permission.as_deref().unwrap_or("?"));
            Ok(())
        }
        Err(error) => Err(error.into()),
        Ok(_) => Err("the auditor may create projects".into()),
    }
}

/// Calls for as long as 200 ms last. Each has what is left of them.
async fn deadline(gateway: &Gateway) -> Result<(), Box<dyn error::Error>> {
    let mut projects = ProjectServiceClient::new(gateway.service());
    let end = Instant::now() + Duration::from_millis(200);
    for answers in 0.. {
        let mut request = Request::new(ListProjectsRequest::default());
        request.set_timeout(end.saturating_duration_since(Instant::now()));
        match projects.list_projects(request).await.map_err(Error::from) {
            Ok(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            Err(error) if error.kind == ErrorKind::DeadlineExceeded => {
                println!("{answers} answers in 200 ms, then too late: {}", error.message);
                break;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
