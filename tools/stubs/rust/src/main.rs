//! Calls the gateway with stubs that were generated from its schema.
use std::{env, error::Error, time::Duration};
use tonic::{Request, Status, metadata::AsciiMetadataValue, transport::Endpoint};
use tonic_types::StatusExt;

#[allow(dead_code)] // Most of the schema is not called here.
mod stubs {
    tonic::include_proto!("stubs");
}
use stubs::admingateway::admin::v1::{
    CreateProjectRequest, GetProjectRequest, ListProjectsRequest,
    project_service_client::ProjectServiceClient,
};

fn reason(status: &Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let channel = Endpoint::from_shared(env::var("GATEWAY")?)? // http://host:port
        .timeout(Duration::from_secs(10))
        .connect()
        .await?;
    let token: AsciiMetadataValue = format!("Bearer {}", env::var("AUDITOR")?).parse()?;
    let mut projects = ProjectServiceClient::with_interceptor(channel, move |mut request: Request<()>| {
        request.metadata_mut().insert("authorization", token.clone());
        Ok(request)
    });

    let request = ListProjectsRequest { limit: Some(3), ..Default::default() };
    let page = projects.list_projects(request).await?.into_inner();
    let names: Vec<_> = page.data.iter().map(|project| project.name()).collect();
    println!("rust: ListProjects: {}", names.join(", "));

    let request = CreateProjectRequest { name: "mine".into(), ..Default::default() };
    let status = projects.create_project(request).await.expect_err("the call was not refused");
    println!("rust: CreateProject: {:?} {}", status.code(), reason(&status));
    assert_eq!(reason(&status), "PERMISSION_DENIED");

    let request = GetProjectRequest { project_id: "../users".into() };
    let status = projects.get_project(request).await.expect_err("the call was not refused");
    let violations = status.get_details_bad_request().map(|details| details.field_violations).unwrap_or_default();
    println!("rust: GetProject: {:?} {} {}", status.code(), reason(&status), violations[0].field);
    assert_eq!(reason(&status), "INVALID_REQUEST");
    Ok(())
}
