"""One remote system each; boto3, requests and urllib3 are used here only."""
