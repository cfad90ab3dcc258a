require ["fileinto", "copy"]; fileinto :copy "One";
