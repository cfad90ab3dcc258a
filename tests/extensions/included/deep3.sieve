require ["include", "variables"]; set "global.deep" "3";
